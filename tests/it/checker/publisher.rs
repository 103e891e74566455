//! Publishers that retry with the same idempotency key until a publish is acknowledged.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{issuer::Issuer, judge::Published};
use crate::harness::{Answer, Caller, Edge, Token};

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(8);
/// Between publishes of one publisher, and between its tries.
const PAUSE: Duration = Duration::from_millis(10);
/// How many are published by one batch request.
const BATCH: u64 = 4;

/// The publishes, by number.
pub struct Ledger {
    users: Vec<String>,
    issuer: Issuer,
    next: AtomicU64,
    entries: Mutex<Vec<Published>>,
}

impl Ledger {
    pub fn new(users: Vec<String>, issuer: Issuer) -> Self {
        Self { users, issuer, next: AtomicU64::new(0), entries: Mutex::default() }
    }

    pub fn acknowledged(&self) -> usize {
        self.entries.lock().unwrap().iter().filter(|each| each.acknowledged).count()
    }

    pub fn entries(&self) -> Vec<Published> {
        self.entries.lock().unwrap().clone()
    }

    /// One last publish to all users: earlier publishes have arrived when it has.
    pub async fn mark(&self, edge: &Edge) {
        let number = self.plan(self.users.clone());
        self.caller(edge).publish(&self.body(number)).await.expect(201);
        self.acknowledge(number);
    }

    /// A publisher with a token of this moment.
    fn caller(&self, edge: &Edge) -> Caller {
        edge.bearer(&self.issuer.sign(&Token::publisher()))
    }

    /// Notes a publish before it is tried.
    fn plan(&self, users: Vec<String>) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.entries.lock().unwrap().push(Published { number, users, acknowledged: false });
        number
    }

    /// Every fifth goes to two users.
    fn plan_next(&self) -> u64 {
        let index = self.next.load(Ordering::Relaxed) as usize;
        let count = if index.is_multiple_of(5) { 2 } else { 1 };
        self.plan((0..count).map(|offset| self.users[(index + offset) % self.users.len()].clone()).collect())
    }

    fn acknowledge(&self, number: u64) {
        let mut entries = self.entries.lock().unwrap();
        entries.iter_mut().find(|each| each.number == number).unwrap().acknowledged = true;
    }

    fn body(&self, number: u64) -> Value {
        let entries = self.entries.lock().unwrap();
        let users = &entries.iter().find(|each| each.number == number).unwrap().users;
        json!({
            "users": users, "title": format!("n-{number}"), "idempotencyKey": format!("key-{number}"),
            "message": "line one\nline two\r\n\ndata: none\nid: 7", "data": {"number": number},
        })
    }
}

/// One publisher; the first of them uses the batch request.
pub struct Publisher {
    index: usize,
    edges: Vec<Edge>,
    ledger: Arc<Ledger>,
}

impl Publisher {
    pub fn new(index: usize, edges: Vec<Edge>, ledger: Arc<Ledger>) -> Self {
        Self { index, edges, ledger }
    }

    pub async fn run(self, enough: CancellationToken) {
        while !enough.is_cancelled() {
            let count = if self.index == 0 { BATCH } else { 1 };
            let numbers: Vec<_> = (0..count).map(|_| self.ledger.plan_next()).collect();
            self.persist(&numbers).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Tries at one edge after the other; a refusal is a failure of the test, because every body is valid.
    async fn persist(&self, numbers: &[u64]) {
        let bodies: Vec<_> = numbers.iter().map(|&number| self.ledger.body(number)).collect();
        for edge in self.edges.iter().cycle().skip(self.index) {
            let caller = self.ledger.caller(edge);
            let answer = match bodies.as_slice() {
                [body] => attempt(&caller, "/api/notifications", body).await,
                bodies => attempt(&caller, "/api/notifications/batch", &json!(bodies)).await,
            };
            match answer {
                Some(answer) if done(&answer, numbers.len()) => break,
                Some(answer) => assert!(answer.status >= 500 || answer.status == 429, "refused: {answer:?}"),
                None => {}
            }
            tokio::time::sleep(PAUSE * 5).await;
        }
        numbers.iter().for_each(|&number| self.ledger.acknowledge(number));
    }
}

async fn attempt(caller: &Caller, path: &str, body: &Value) -> Option<Answer> {
    let request = caller.request(Method::POST, path).json(body);
    tokio::time::timeout(PATIENCE, Answer::try_of(request)).await.ok()?.ok()
}

/// A batch is done only when each of its items is; the server may also say "later" for all of them in one word.
fn done(answer: &Answer, items: usize) -> bool {
    match answer.status {
        201 => true,
        200 => {
            let results = answer.expect(200);
            let results = results["results"].as_array().expect("results");
            assert_eq!(results.len(), items, "{results:?}");
            results.iter().all(|result| result["id"].is_string())
        }
        _ => false,
    }
}
