//! `tidings publish`: one notification from flags, or many from standard input.

use std::io::BufRead;

use anyhow::Context;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Map, Value, value::RawValue};
use url::Url;

use super::{Mistake, access::Access};
use crate::client::{follow::root_cause, wire::Problem};
use crate::domain::{priority::Priority, topic::Topic};

/// Items of one batch request; the server's own bound is not below this.
const BATCH: usize = 500;
/// A batch is sent before its items pass this many bytes.
const BATCH_BYTES: usize = 512 * 1024;

/// Flags of `tidings publish`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    access: Access,
    /// For whom; may be given several times.
    #[arg(long = "user", value_name = "ID", required_unless_present_any = ["topics", "everyone", "stdin"])]
    users: Vec<String>,
    /// For the subscribers of a topic; may be given several times.
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<Topic>,
    /// For every user of the tenant.
    #[arg(long)]
    everyone: bool,
    /// One line.
    #[arg(long, value_name = "TEXT", required_unless_present = "stdin")]
    title: Option<String>,
    /// The text below the title.
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// The type of the notification, such as `payment_received`.
    #[arg(long)]
    kind: Option<String>,
    /// low, medium, high or critical.
    #[arg(long, value_parser = |text: &str| text.parse::<Priority>())]
    priority: Option<Priority>,
    /// Data for the clients.
    #[arg(long, value_name = "JSON", value_parser = |text: &str| serde_json::from_str::<Box<RawValue>>(text))]
    data: Option<Box<RawValue>>,
    /// The address that a click opens.
    #[arg(long, value_name = "URL")]
    action_url: Option<String>,
    /// Publish at most once under this key.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Read notifications as lines of JSON and publish them in batches.
    #[arg(long, conflicts_with_all = ["users", "topics", "everyone", "title", "message", "kind", "priority", "data", "action_url", "idempotency_key"])]
    stdin: bool,
}

/// Publishes and prints an id per notification.
///
/// # Errors
/// [`Mistake`] for a body that the server refuses; any other error when it cannot be reached.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let token = args.access.token("publisher", "publish")?;
    let post = Post { http: reqwest::Client::new(), token };
    if args.stdin {
        return post_lines(&post, &args.access.endpoint("/api/notifications/batch")?).await;
    }
    let url = args.access.endpoint("/api/notifications")?;
    let answer = post.send(&url, &body(args)?).await?;
    println!("{}", answer["id"].as_str().context("the answer names no id")?);
    if answer["cancelled"] == true {
        eprintln!("{CANCELLED}");
    }
    Ok(())
}

/// Said of a repeat whose first publish comes no more.
const CANCELLED: &str = "it repeats a scheduled publish that comes no more";

fn body(args: Args) -> anyhow::Result<String> {
    let mut body = Map::new();
    body.insert("users".into(), args.users.into());
    body.insert("topics".into(), args.topics.iter().map(Topic::as_str).collect());
    body.insert("everyone".into(), args.everyone.into());
    let texts = [
        ("title", args.title),
        ("message", args.message),
        ("kind", args.kind),
        ("actionUrl", args.action_url),
        ("idempotencyKey", args.idempotency_key),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            body.insert(name.into(), text.into());
        }
    }
    if let Some(priority) = args.priority {
        body.insert("priority".into(), serde_json::to_value(priority)?);
    }
    let text = Value::from(body).to_string();
    let Some(data) = args.data else { return Ok(text) };
    // As it was written: the server judges the numbers of the text, and a value would have changed them before.
    let fields = text.strip_suffix('}').unwrap_or(&text);
    Ok(format!(r#"{fields},"data":{data}}}"#))
}

/// Publishes the lines of standard input; reports refused lines by number and continues with the rest.
async fn post_lines(post: &Post, url: &Url) -> anyhow::Result<()> {
    let mut refused = 0;
    let mut batch = Batch::default();
    for (index, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.context("cannot read standard input")?;
        if line.trim().is_empty() {
            continue;
        }
        if let Err(error) = serde_json::from_str::<&serde_json::value::RawValue>(&line) {
            eprintln!("line {}: not JSON: {error}", index + 1);
            refused += 1;
            continue;
        }
        if batch.is_full_with(&line) {
            refused += post_batch(post, url, &std::mem::take(&mut batch)).await?;
        }
        batch.push(index + 1, &line);
    }
    refused += post_batch(post, url, &batch).await?;
    match refused {
        0 => Ok(()),
        _ => Err(Mistake(format!("{refused} lines were refused")).into()),
    }
}

async fn post_batch(post: &Post, url: &Url, batch: &Batch) -> anyhow::Result<usize> {
    if batch.lines.is_empty() {
        return Ok(0);
    }
    let answer = post.send(url, &format!("[{}]", batch.body)).await?;
    let results = answer["results"].as_array().context("the answer holds no results")?;
    let mut refused = 0;
    for (line, result) in batch.lines.iter().zip(results) {
        if let Some(id) = result["id"].as_str() {
            println!("{id}");
            if result["cancelled"] == true {
                eprintln!("line {line}: {CANCELLED}");
            }
            continue;
        }
        let problem = serde_json::from_value::<Problem>(result["problem"].clone()).unwrap_or_default();
        eprintln!("line {line}: {problem}");
        refused += 1;
    }
    Ok(refused)
}

/// Lines that go into one request.
#[derive(Default)]
struct Batch {
    body: String,
    lines: Vec<usize>,
}

impl Batch {
    fn is_full_with(&self, line: &str) -> bool {
        self.lines.len() == BATCH || (!self.lines.is_empty() && self.body.len() + line.len() > BATCH_BYTES)
    }

    fn push(&mut self, number: usize, line: &str) {
        if !self.lines.is_empty() {
            self.body.push(',');
        }
        self.body.push_str(line);
        self.lines.push(number);
    }
}

struct Post {
    http: reqwest::Client,
    token: String,
}

impl Post {
    async fn send(&self, url: &Url, body: &str) -> anyhow::Result<Value> {
        let request = self.http.post(url.clone()).bearer_auth(&self.token).header(CONTENT_TYPE, "application/json");
        let sent = request.body(body.to_owned()).send().await;
        let response =
            sent.map_err(|error| anyhow::anyhow!("{}: {}", url.origin().ascii_serialization(), root_cause(&error)))?;
        let status = response.status();
        let answer = response.bytes().await.map_err(|error| anyhow::anyhow!(root_cause(&error)))?;
        if status.is_success() {
            return serde_json::from_slice(&answer).context("the answer is not JSON");
        }
        let problem = Problem::from_body(status.as_u16(), &answer);
        if status.is_client_error() { Err(Mistake(problem.to_string()).into()) } else { Err(anyhow::anyhow!(problem)) }
    }
}
