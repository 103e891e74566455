//! The environment of a page: an instance as the page starts it, a shell beside it, and a browser if the page asks for one.

use std::path::Path;

use tempfile::TempDir;

use super::{
    block::{Block, Use, blocks},
    read, root,
    session::{Printed, Session},
    shape,
};
use crate::harness::{
    browser::Tab,
    instance::setting,
    process::{Signal, mortal},
    *,
};

/// Ports as pages write them: of the instance, of Redis, of two applications.
const PORTS: [&str; 4] = ["8080", "6379", "3000", "3001"];
/// The settings that tests use for speed: a page has the defaults.
const QUICK: &[&str] = &[
    "TIDINGS_RETRY_MS",
    "TIDINGS_HEARTBEAT_SECONDS",
    "TIDINGS_PROBE_SECONDS",
    "TIDINGS_DRAIN_SECONDS",
    setting::SECRET,
];

/// Servers that nothing but the page talks to. Dropped from top to bottom.
struct Stage<'a> {
    page: &'a str,
    shell: Session<'a>,
    browser: Option<(Browser, Tab, String)>,
    instance: Instance,
    is_running: bool,
    settings: Vec<(String, String)>,
    ports: [u16; 4],
    directory: &'a Path,
    _redis: Option<Redis>,
    _postgres: Postgres,
}

/// Runs a page from its top to its end; panics if an output differs from the page.
pub async fn prove(page: &str) {
    let text = read(page);
    let blocks = blocks(&text);
    let does = |block: &Block| !matches!(block.purpose(), Use::Show);
    if !blocks.iter().any(does) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut stage = Stage::set(page, &text, &directory).await;
    for (index, block) in blocks.iter().enumerate() {
        let output = blocks.get(index + 1).filter(|next| next.is_output());
        stage.play(block, output).await;
    }
    if let Some((browser, ..)) = stage.browser.take() {
        browser.close().await;
    }
}

impl<'a> Stage<'a> {
    async fn set(page: &'a str, text: &str, directory: &'a TempDir) -> Self {
        let postgres = Postgres::start().await;
        let redis = if text.contains("127.0.0.1:6379") { Some(Redis::start().await) } else { None };
        let directory = directory.path();
        let data = directory.join("tidings-data").display().to_string();
        let mut instance = Instance::new(&[(setting::DATABASE, &postgres.url()), (setting::DATA_DIR, &data)]);
        QUICK.iter().for_each(|name| instance.set(name, ""));
        let programs = directory.join("bin");
        std::fs::create_dir(&programs).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tidings"), programs.join("tidings")).unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        let home = directory.display().to_string();
        let (url, database) = (instance.base(), postgres.url());
        let environment = [("PATH", path), ("HOME", home), ("TIDINGS_URL", url), ("DATABASE_URL", database)];
        let shell = Session::start(directory, &environment).await;
        let ports = [instance.port(), redis.as_ref().map_or(0, Redis::port), free_port(), free_port()];
        let (browser, settings, is_running) = (None, Vec::new(), false);
        Self {
            page,
            shell,
            browser,
            instance,
            is_running,
            settings,
            ports,
            directory,
            _redis: redis,
            _postgres: postgres,
        }
    }

    async fn play(&mut self, block: &Block, output: Option<&Block>) {
        let text = self.localised(&block.text);
        if let Some(settings) = block.start() {
            return self.start(settings).await;
        }
        match block.purpose() {
            Use::Show if block.language == "console" => println!("{}:{}: not run", self.page, block.line),
            Use::Show => {}
            Use::File(name) => std::fs::write(self.directory.join(name), text).unwrap(),
            Use::Read => self.compile(block, &text),
            Use::Run => self.run(block, &text, output, false).await,
            Use::RunUntil => self.run(block, &text, output, true).await,
            Use::Console(url) => self.browse(block, &self.localised(url), &text).await,
        }
    }

    /// Restarts the instance, with these settings beside those that every page has.
    async fn start(&mut self, settings: Vec<(String, String)>) {
        if self.is_running {
            self.instance.kill();
        }
        for (name, _) in self.settings.drain(..) {
            self.instance.set(&name, "");
        }
        for (name, value) in &settings {
            let file = self.directory.join(value);
            let value = if file.is_file() { file.display().to_string() } else { self.localised(value) };
            self.instance.set(name, &value);
        }
        self.settings = settings;
        self.instance.restart().await;
        self.is_running = true;
    }

    async fn run(&mut self, block: &Block, text: &str, output: Option<&Block>, again: bool) {
        if !self.is_running {
            self.start(Vec::new()).await;
        }
        let wanted = output.map(|output| (output.language.as_str(), self.localised(&output.text)));
        let agrees = |printed: &str| match &wanted {
            Some(("json", shown)) => shape::json_agrees(shown, printed),
            Some((_, shown)) => shape::text_agrees(shown, printed),
            None => true,
        };
        let deadline = tokio::time::Instant::now() + DEADLINE;
        let mut printed = self.shell.run(text, again).await;
        loop {
            let found = self.shell.printed(&printed);
            if printed.succeeded && agrees(&found) {
                return;
            }
            let is_over = !printed.succeeded || tokio::time::Instant::now() > deadline;
            assert!(!is_over, "{}", self.complaint(block, &printed, &found, wanted.as_ref().map(|(_, shown)| shown)));
            // A background process may print somewhat later.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            if again {
                printed = self.shell.run(text, again).await;
            }
        }
    }

    fn complaint(&self, block: &Block, printed: &Printed, found: &str, shown: Option<&String>) -> String {
        let what = if printed.succeeded { "prints something else than is shown" } else { "fails" };
        let shown_at = format!("{}:{}: the block {what}\n{}", self.page, block.line, block.text);
        let shown = shown.map(|shown| format!("\n---- shown ----\n{shown}")).unwrap_or_default();
        format!("{shown_at}{shown}\n---- printed ----\n{found}\n---- errors so far ----\n{}", self.shell.errors())
    }

    /// Waits until an expression is true in the console of a page.
    async fn browse(&mut self, block: &Block, url: &str, expression: &str) {
        if self.browser.as_ref().is_none_or(|(_, _, open)| open != url) {
            let mut browser = match self.browser.take() {
                Some((browser, ..)) => browser,
                None => Browser::start().await,
            };
            let tab = browser.open(url).await;
            // Before the page there is an empty one, which is complete at once.
            browser.until(&tab, &format!("location.href === '{url}' && document.readyState === 'complete'")).await;
            self.browser = Some((browser, tab, url.to_owned()));
        }
        let (browser, tab, _) = self.browser.as_mut().unwrap();
        let what = format!("{}:{}: in the console of {url}: {expression}", self.page, block.line);
        println!("{what}");
        eventually(&what, async || (browser.evaluate(tab, expression).await == true).then_some(())).await;
    }

    fn compile(&self, block: &Block, text: &str) {
        let is_typed = block.language == "tsx";
        let name = format!("read-{}.{}", block.line, if is_typed { "tsx" } else { "mjs" });
        std::fs::write(self.directory.join(&name), text).unwrap();
        let mut command = mortal("node", Signal::KILL, None);
        if is_typed {
            command.args(typescript(self.directory));
        } else {
            command.args(["--check", &name]);
        }
        let output = command.current_dir(self.directory).output().expect("a compiler");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:{}: {said}", self.page, block.line);
    }

    /// A text of the page with the ports that are in use here.
    fn localised(&self, text: &str) -> String {
        PORTS.iter().zip(self.ports).fold(text.to_owned(), |text, (shown, port)| with_number(&text, shown, port))
    }
}

/// How node compiles the TypeScript of the page so far, as a project that sees the sources of the npm package.
fn typescript(directory: &Path) -> [String; 3] {
    let web = root().join("web");
    let modules = root().join("tests/web/node_modules");
    let paths = serde_json::json!({
        "tidings": [web.join("client/index.js")],
        "tidings/react": [web.join("react/index.js")],
        "tidings/bell": [web.join("elements/bell.js")],
        "tidings/toasts": [web.join("elements/toasts.js")],
        "react": [modules.join("@types/react")],
        "react/jsx-runtime": [modules.join("@types/react/jsx-runtime")],
    });
    let options = serde_json::json!({
        "target": "es2022", "lib": ["es2023", "dom", "dom.iterable"], "module": "esnext", "moduleResolution": "bundler",
        "jsx": "react-jsx", "strict": true, "noEmit": true, "allowJs": true, "skipLibCheck": true, "types": [],
        "maxNodeModuleJsDepth": 0, "paths": paths,
    });
    let project = serde_json::json!({"compilerOptions": options, "include": ["read-*.tsx"]});
    std::fs::write(directory.join("tsconfig.json"), project.to_string()).unwrap();
    [modules.join("typescript/bin/tsc").display().to_string(), "-p".to_owned(), "tsconfig.json".to_owned()]
}

/// A text with another number instead of each that is shown.
fn with_number(text: &str, shown: &str, number: u16) -> String {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let mut parts = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(shown) {
        let end = at + shown.len();
        let before = rest.as_bytes()[..at].last().or(parts.as_bytes().last());
        let is_alone = !is_digit(before) && !is_digit(rest.as_bytes().get(end));
        parts.push_str(&rest[..at]);
        parts.push_str(&if is_alone { number.to_string() } else { shown.to_owned() });
        rest = &rest[end..];
    }
    parts + rest
}

#[test]
fn ports_are_replaced_and_longer_numbers_are_not() {
    let text = "http://127.0.0.1:8080/ listen(8080) 18080 80801 8080";
    assert_eq!(with_number(text, "8080", 9), "http://127.0.0.1:9/ listen(9) 18080 80801 9");
}
