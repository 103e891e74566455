//! The nginx configuration that is shipped, in front of instances of a test.

use std::{fs, net::TcpStream, path::Path};

use tempfile::TempDir;

use crate::ROOT;

use super::{
    Edge, Instance, eventually, free_port,
    process::{Process, Signal, mortal},
};

/// A running nginx.
pub struct Nginx {
    process: Process,
    port: u16,
    _directory: TempDir,
}

impl Nginx {
    /// Starts it before these instances: only addresses differ from the shipped configuration.
    pub async fn before(instances: &[Instance]) -> Self {
        Self::start(instances, |shipped| shipped).await
    }

    /// Starts it with another change to the shipped file.
    pub async fn altered(instances: &[Instance], alter: impl FnOnce(String) -> String) -> Self {
        Self::start(instances, alter).await
    }

    /// Starts it with buffering on, the setting of a proxy that is not prepared for streams.
    pub async fn buffering(instances: &[Instance]) -> Self {
        let on = "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;";
        Self::start(instances, |shipped| shipped.replace("proxy_buffering off;", on)).await
    }

    /// Starts it so that everything is below a path, and nothing beside it.
    pub async fn below(instances: &[Instance], path: &str) -> Self {
        Self::in_server(
            instances,
            &format!("if ($request_uri !~ ^{path}/) {{ return 404; }} rewrite ^{path}(/.*)$ $1;"),
        )
        .await
    }

    /// Starts it with the setting of a proxy that does not tell the instances the host that the client asked for.
    pub async fn hiding_the_host(instances: &[Instance]) -> Self {
        Self::start(instances, |shipped| shipped.replace("$http_host;", "tidings.internal;")).await
    }

    /// Starts it with a further line for the server as a whole.
    async fn in_server(instances: &[Instance], line: &str) -> Self {
        let add = |shipped: String| {
            let at = shipped.find("listen ").expect("a server that listens");
            format!("{}{line}\n{}", &shipped[..at], &shipped[at..])
        };
        Self::start(instances, add).await
    }

    async fn start(instances: &[Instance], alter: impl FnOnce(String) -> String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let ports: Vec<_> = instances.iter().map(Instance::port).collect();
        let file = directory.path().join("nginx.conf");
        let shipped = fs::read_to_string(Path::new(ROOT).join("deploy/nginx.conf")).unwrap();
        fs::write(&file, alter(adapted(&shipped, port, &ports))).unwrap();

        let mut command = mortal("nginx", Signal::TERM, None);
        // Its workers must reach the test's own directory, and root would give them another account.
        let account = if rustix::process::geteuid().is_root() { "user root; " } else { "" };
        command.arg("-p").arg(directory.path()).arg("-c").arg(&file).arg("-g").arg(format!("{account}daemon off;"));
        let process = Process::spawn("nginx", &mut command, &directory.path().join("log"), Signal::TERM);
        eventually("nginx listens", async || TcpStream::connect(("127.0.0.1", port)).ok()).await;
        Self { process, port, _directory: directory }
    }

    pub fn edge(&self) -> Edge {
        Edge::new(&format!("http://127.0.0.1:{}", self.port))
    }

    /// Its access and error lines.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn adapted(shipped: &str, port: u16, upstreams: &[u16]) -> String {
    let mut upstreams = upstreams.iter();
    let mut lines = Vec::new();
    for line in shipped.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            ["server", address, rest @ ..] if address.contains(':') => {
                let upstream = upstreams.next().expect("as many instances as are shipped");
                lines.push(format!("server 127.0.0.1:{upstream} {}", rest.join(" ")));
            }
            ["listen", _] => lines.push(format!("listen 127.0.0.1:{port};")),
            _ => lines.push(line.to_owned()),
        }
    }
    assert!(upstreams.next().is_none(), "as many instances as are shipped");
    lines.join("\n")
}
