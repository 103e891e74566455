//! `tidings tail`: a user's stream in the terminal; it comes back by itself from where it was.

use std::{
    fmt::Write as _,
    io::{IsTerminal, Write as _},
};

use serde_json::{Value, json};

use super::{Mistake, access::Access};
use crate::client::{
    follow::{Final, Follower, Update},
    wire::{Bye, Hello, Notification, Verdict},
};
use crate::domain::priority::Priority;

/// Flags of `tidings tail`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    access: Access,
    /// The user, when the token is made from a local server's secret.
    #[arg(long, value_name = "ID", default_value = "demo")]
    user: String,
    /// Begin after this cursor.
    #[arg(long)]
    cursor: Option<String>,
    /// Show these kinds only, separated by commas.
    #[arg(long, value_name = "KIND,...")]
    kinds: Option<String>,
    /// Show this priority and above: low, medium, high, critical.
    #[arg(long, value_name = "PRIORITY", value_parser = |text: &str| text.parse::<Priority>())]
    min_priority: Option<Priority>,
    /// Print every event as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Follows the stream until it is over for good or the process is interrupted.
///
/// # Errors
/// [`Mistake`] when the server refuses the token or the request.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let token = args.access.token(&args.user, "")?;
    let mut url = args.access.endpoint("/api/notifications/stream")?;
    if let Some(kinds) = &args.kinds {
        url.query_pairs_mut().append_pair("kinds", kinds);
    }
    if let Some(Value::String(priority)) = args.min_priority.and_then(|priority| serde_json::to_value(priority).ok()) {
        url.query_pairs_mut().append_pair("minPriority", &priority);
    }
    let mut follower = Follower::new(url, &token, args.cursor).map_err(|error| Mistake(error.to_string()))?;
    let screen = Screen::new(args.json);
    loop {
        let update = tokio::select! {
            update = follower.next() => update,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        match update {
            Ok(update) => screen.show(&update)?,
            Err(Final::Stopped) => return Ok(()),
            Err(refused) => return Err(Mistake(refused.to_string()).into()),
        }
    }
}

/// The output: events on standard output, remarks about the connection on standard error.
struct Screen {
    json: bool,
    colour: bool,
}

impl Screen {
    fn new(json: bool) -> Self {
        let colour = !json && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json, colour }
    }

    fn show(&self, update: &Update) -> std::io::Result<()> {
        match update {
            Update::Waiting { wait, why } => {
                let remark = format!("{why}; trying again in {:.1} s", wait.as_secs_f64());
                writeln!(std::io::stderr(), "{}", self.paint(DIM, &printable(&remark)))
            }
            Update::Event { kind, data, id } if self.json => {
                let data: Value = serde_json::from_str(data).unwrap_or_else(|_| data.as_str().into());
                writeln!(std::io::stdout(), "{}", json!({ "event": kind, "id": id, "data": data }))
            }
            Update::Event { kind, data, .. } => match self.line(kind, data) {
                Some(line) => writeln!(std::io::stdout(), "{line}"),
                None => Ok(()),
            },
        }
    }

    /// One event for people; none for a heartbeat.
    fn line(&self, kind: &str, data: &str) -> Option<String> {
        let known = match kind {
            "heartbeat" => return None,
            "hello" => serde_json::from_str(data).ok().map(|hello| self.hello(&hello)),
            "notification" => serde_json::from_str(data).ok().map(|notification| self.notification(&notification)),
            "bye" => serde_json::from_str(data)
                .ok()
                .map(|bye: Bye| self.paint(DIM, &format!("-- bye: {}", printable(&bye.reason)))),
            _ => None,
        };
        Some(known.unwrap_or_else(|| self.paint(DIM, &printable(&format!("-- {kind}: {data}")))))
    }

    fn hello(&self, hello: &Hello) -> String {
        let cursor = printable(&hello.cursor);
        let unread = hello.unread;
        match hello.verdict {
            Verdict::Fresh => self.paint(GREEN, &format!("-- fresh at {cursor}, {unread} unread")),
            Verdict::Resumed => {
                self.paint(GREEN, &format!("-- resumed at {cursor}, {} missed follow, {unread} unread", hello.missed))
            }
            Verdict::Reset => {
                let reason = printable(hello.reason.as_deref().unwrap_or("unknown"));
                self.paint(
                    YELLOW,
                    &format!("-- reset ({reason}) at {cursor}, {unread} unread: some changes are not shown"),
                )
            }
        }
    }

    fn notification(&self, shown: &Notification) -> String {
        let colour = match shown.priority.as_str() {
            "critical" => RED,
            "high" => YELLOW,
            "low" => DIM,
            _ => PLAIN,
        };
        let time = shown.created_at.get(11..19).unwrap_or(&shown.created_at);
        let head = printable(&format!("{time}  {:8}  {}  ", shown.priority, shown.kind));
        let mut line = self.paint(DIM, &head);
        line.push_str(&self.paint(colour, &printable(&shown.title)));
        if let Some(message) = &shown.message {
            let _ = write!(line, "  {}", printable(message));
        }
        if let Some(url) = &shown.action_url {
            let _ = write!(line, "  {}", self.paint(DIM, &printable(url)));
        }
        line
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if !self.colour || colour == PLAIN {
            return text.to_owned();
        }
        format!("\x1b[{colour}m{text}\x1b[0m")
    }
}

const PLAIN: &str = "0";
const DIM: &str = "2";
const RED: &str = "1;31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// A text from outside without characters that steer a terminal: control characters become spaces, also those that turn the
/// direction of what follows (Unicode Bidirectional Algorithm, 2.1 to 2.5).
fn printable(text: &str) -> String {
    let turns = |char| matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|char| if char.is_control() || turns(char) { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen() -> Screen {
        Screen { json: false, colour: false }
    }

    #[test]
    fn a_notification_is_one_line_and_cannot_steer_the_terminal() {
        let data = json!({"seq": 1, "kind": "k", "priority": "high", "title": "a\u{1b}[2Jb\n\u{202e}c", "message": "m",
            "actionUrl": "/x", "createdAt": "2026-11-21T09:30:00Z"});
        let line = screen().line("notification", &data.to_string()).unwrap();
        assert_eq!(line, "09:30:00  high      k  a [2Jb  c  m  /x");
    }

    #[test]
    fn every_verdict_is_shown() {
        let line = |data: &str| screen().line("hello", data).unwrap();
        assert_eq!(line(r#"{"verdict":"fresh","cursor":"e.3","unread":1}"#), "-- fresh at e.3, 1 unread");
        let resumed = r#"{"verdict":"resumed","cursor":"e.9","missed":6,"unread":2}"#;
        assert_eq!(line(resumed), "-- resumed at e.9, 6 missed follow, 2 unread");
        let reset = r#"{"verdict":"reset","cursor":"e.9","unread":2,"reason":"pruned"}"#;
        assert_eq!(line(reset), "-- reset (pruned) at e.9, 2 unread: some changes are not shown");
    }

    #[test]
    fn heartbeats_are_silent_and_unknown_events_are_shown_as_they_are() {
        assert_eq!(screen().line("heartbeat", "{}"), None);
        assert_eq!(screen().line("state", r#"{"read":true}"#).unwrap(), r#"-- state: {"read":true}"#);
    }
}
