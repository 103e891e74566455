//! Of a subject the newest value counts, whichever instances its signals come through.

use std::collections::BTreeMap;

use super::*;

/// Values of each subject.
const VALUES: i64 = 40;
/// Subjects, one after the other.
const ROUNDS: usize = 10;

/// Posts the values 1..=[`VALUES`] to one instance after the other, each when the one before was answered.
async fn post_in_turn(senders: &[Caller], topic: &str, round: usize) {
    for value in 1..=VALUES {
        let sender = &senders[value as usize % senders.len()];
        sender.post("/api/signals", &signal(topic, &round.to_string(), value)).await.expect(202);
    }
}

/// Reads until the last value of the last round, and of every round that was seen; values of a round must ascend.
async fn all_values(stream: &mut Frames) -> BTreeMap<String, Vec<i64>> {
    let mut rounds: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let last = (ROUNDS - 1).to_string();
    while !rounds.contains_key(&last) || rounds.values().any(|values| values.last() != Some(&VALUES)) {
        let told = told(stream).await;
        let (round, value) = (told["key"].as_str().unwrap().to_owned(), told["data"].as_i64().unwrap());
        let values = rounds.entry(round).or_default();
        assert!(values.last() < Some(&value), "{value} after {values:?}");
        values.push(value);
    }
    rounds
}

#[tokio::test]
async fn signals_of_a_subject_that_come_through_several_instances_keep_their_order() {
    order_is_kept(cluster().instances(3)).await;
}

#[tokio::test]
async fn signals_of_a_subject_that_come_through_several_instances_keep_their_order_over_postgres_too() {
    order_is_kept(cluster().on_postgres_alone(3)).await;
}

async fn order_is_kept(plan: Plan) {
    let cluster = plan.start().await;
    subscribe(&cluster, "queue:7", &["u0", "u1", "u2"]).await;
    let edges = cluster.edges();
    let senders: Vec<_> = edges.iter().map(Edge::publisher).collect();
    let mut streams = Vec::new();
    for (number, edge) in edges.iter().enumerate() {
        streams.push(listening(&edge.user(&format!("u{number}"))).await);
    }
    for round in 0..ROUNDS {
        post_in_turn(&senders, "queue:7", round).await;
        let key = round.to_string();
        let mut late = listening(&edges[round % 3].user("u0")).await;
        let kept = loop {
            let told = told(&mut late).await;
            if told["key"] == key {
                break told["data"].clone();
            }
        };
        assert_eq!(kept, VALUES, "the value that is kept is the one that was sent last");
    }
    for stream in &mut streams {
        for (round, values) in all_values(stream).await {
            assert_eq!(values, (1..=VALUES).collect::<Vec<_>>(), "round {round}");
        }
    }
}

#[tokio::test]
async fn a_client_that_connects_between_values_gets_no_value_after_a_newer_one() {
    let cluster = cluster().instances(2).start().await;
    kind(&cluster, "paced", "open", 5).await;
    let edges = cluster.edges();
    let senders: Vec<_> = edges.iter().map(Edge::publisher).collect();
    for topic in ["queue:7", "paced:7"] {
        subscribe(&cluster, topic, &["u0", "u1"]).await;
        let streams = tokio::sync::Mutex::new(Vec::new());
        let coming = async {
            for number in 0.. {
                let stream = listening(&edges[number % 2].user(&format!("u{}", number / 2 % 2))).await;
                let mut streams = streams.lock().await;
                // As many as a user may have, the newest ones.
                streams.truncate(30);
                streams.insert(0, stream);
            }
        };
        let posting = async {
            for round in 0..ROUNDS {
                post_in_turn(&senders, topic, round).await;
            }
        };
        tokio::select! {
            () = coming => {}
            () = posting => {}
        }
        for stream in &mut streams.into_inner() {
            all_values(stream).await;
        }
    }
}
