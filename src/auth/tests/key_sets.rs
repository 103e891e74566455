//! Keys that an issuer serves, rotates and fails to serve.

use super::*;
use crate::auth::key_set::KeySet;

const EAGER: Rhythm = Rhythm { pause: Duration::ZERO, renew: Duration::from_mins(5) };
const LAZY: Rhythm = Rhythm { pause: Duration::from_mins(5), renew: Duration::from_mins(5) };

pub(super) async fn serving(keys: &[Value]) -> MockServer {
    let server = MockServer::start().await;
    serve(&server, ResponseTemplate::new(200).set_body_json(json!({"keys": keys}))).await;
    server
}

pub(super) async fn serve(server: &MockServer, answer: ResponseTemplate) {
    server.reset().await;
    Mock::given(any()).respond_with(answer).mount(server).await;
}

pub(super) fn authenticator(server: &MockServer, rhythm: Rhythm) -> Authenticator {
    let settings = AuthSettings { jwks_url: Some(server.uri().parse().unwrap()), ..settings() };
    Authenticator::with_rhythm(&settings, None, rhythm).unwrap()
}

pub(super) async fn fetches(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn the_key_that_the_token_names_verifies_it_after_one_fetch() {
    let (rsa, ec, ed) = (Pair::rsa(), Pair::ec(), Pair::ed());
    let server = serving(&[rsa.jwk("r"), ec.jwk("e"), ed.jwk("d")]).await;
    let authenticator = authenticator(&server, LAZY);
    let tokens = [
        rsa.sign(Some("r"), &claims(json!({}))),
        ec.sign(Some("e"), &claims(json!({}))),
        ed.sign(None, &claims(json!({}))),
    ];
    for token in &tokens {
        assert!(authenticator.authenticate(token).await.is_ok());
    }
    assert_eq!(fetches(&server).await, 1);
}

#[tokio::test]
async fn an_unknown_key_costs_one_fetch_and_no_more_within_the_pause() {
    let (ours, theirs) = (Pair::ec(), Pair::ec());
    let server = serving(&[ours.jwk("1")]).await;
    let authenticator = authenticator(&server, LAZY);
    let tokens: Vec<_> = (0..20).map(|n| theirs.sign(Some(&format!("x{n}")), &claims(json!({})))).collect();
    let answers = futures_util::future::join_all(tokens.iter().map(|token| authenticator.authenticate(token))).await;
    assert!(answers.iter().all(|answer| *answer == Err(Rejected::Signature)));
    assert_eq!(fetches(&server).await, 1);
    assert_eq!(authenticator.authenticate(&theirs.sign(Some("1"), &claims(json!({})))).await, Err(Rejected::Signature));
}

#[tokio::test]
async fn a_rotated_key_is_fetched_and_the_withdrawn_one_goes() {
    let (old, new) = (Pair::ec(), Pair::ec());
    let server = serving(&[old.jwk("1")]).await;
    let authenticator = authenticator(&server, EAGER);
    let (before, after) = (old.sign(Some("1"), &claims(json!({}))), new.sign(Some("2"), &claims(json!({}))));
    assert!(authenticator.authenticate(&before).await.is_ok());
    serve(&server, ResponseTemplate::new(200).set_body_json(json!({"keys": [new.jwk("2")]}))).await;
    assert!(authenticator.authenticate(&after).await.is_ok());
    assert_eq!(authenticator.authenticate(&before).await, Err(Rejected::Signature));
}

#[tokio::test]
async fn known_keys_remain_valid_while_the_issuer_is_away() {
    let (ours, theirs) = (Pair::ec(), Pair::ec());
    let server = serving(&[ours.jwk("1")]).await;
    let authenticator = authenticator(&server, EAGER);
    let good = ours.sign(Some("1"), &claims(json!({})));
    assert!(authenticator.authenticate(&good).await.is_ok());
    serve(&server, ResponseTemplate::new(500)).await;
    let unknown = theirs.sign(Some("2"), &claims(json!({})));
    assert!(is_open(&authenticator.authenticate(&unknown).await));
    assert!(authenticator.authenticate(&good).await.is_ok());
}

#[tokio::test]
async fn answers_that_are_no_key_set_leave_the_keys_unavailable() {
    let pair = Pair::ec();
    let token = pair.sign(Some("1"), &claims(json!({})));
    let elsewhere = serving(&[pair.jwk("1")]).await;
    let answers = [
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(200).set_body_json(json!({"keys": []})),
        ResponseTemplate::new(200).set_body_string(" ".repeat(300 * 1024)),
        ResponseTemplate::new(302).insert_header("location", elsewhere.uri()),
    ];
    let server = MockServer::start().await;
    for answer in answers {
        serve(&server, answer).await;
        assert!(is_open(&authenticator(&server, EAGER).authenticate(&token).await));
    }
    assert_eq!(fetches(&elsewhere).await, 0, "a redirect is not followed");
}

#[tokio::test]
async fn keys_for_other_uses_and_symmetric_ones_are_not_taken() {
    let pair = Pair::ec();
    let mut encryption = pair.jwk("1");
    encryption["use"] = json!("enc");
    let mut mislabelled = pair.jwk("2");
    mislabelled["alg"] = json!("ES384");
    let symmetric = json!({"kty": "oct", "kid": "3", "k": URL_SAFE_NO_PAD.encode(SECRET), "alg": "HS256"});
    let unreadable = json!({"kty": "EC", "crv": "secp256k1", "kid": "4", "x": 1});
    let server = serving(&[encryption, mislabelled, symmetric, unreadable, Pair::ec().jwk("5")]).await;
    let authenticator = authenticator(&server, EAGER);
    for kid in ["1", "2"] {
        let token = pair.sign(Some(kid), &claims(json!({})));
        assert_eq!(authenticator.authenticate(&token).await, Err(Rejected::Signature));
    }
    let header = Header { kid: Some("3".into()), ..Header::new(Algorithm::HS256) };
    let token = encode(&header, &claims(json!({})), &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
    assert_eq!(authenticator.authenticate(&token).await, Err(Rejected::Signature));
}

#[tokio::test]
async fn a_secret_and_a_key_set_work_side_by_side() {
    let pair = Pair::ec();
    let server = serving(&[pair.jwk("1")]).await;
    let settings = AuthSettings { jwks_url: Some(server.uri().parse().unwrap()), ..with_secret() };
    let authenticator = Authenticator::new(&settings, None).unwrap();
    assert!(authenticator.authenticate(&hs256(&claims(json!({})))).await.is_ok());
    assert_eq!(fetches(&server).await, 0);
    assert!(authenticator.authenticate(&pair.sign(Some("1"), &claims(json!({})))).await.is_ok());
}

#[tokio::test]
async fn no_key_of_a_large_set_is_lost_to_a_token_that_names_it() {
    let (first, last) = (Pair::ec(), Pair::ec());
    let mut keys: Vec<_> = (0..999).map(|n| first.jwk(&format!("k{n}"))).collect();
    keys.push(last.jwk("last"));
    let server = serving(&keys).await;
    let authenticator = authenticator(&server, EAGER);
    assert!(authenticator.authenticate(&last.sign(Some("last"), &claims(json!({})))).await.is_ok());
    assert!(authenticator.authenticate(&first.sign(Some("k998"), &claims(json!({})))).await.is_ok());
    assert!(authenticator.authenticate(&first.sign(None, &claims(json!({})))).await.is_ok());
    let unnamed = authenticator.authenticate(&last.sign(None, &claims(json!({})))).await;
    assert_eq!(unnamed, Err(Rejected::Unnamed), "a token that names no key is tried with 32");
}

#[tokio::test]
async fn a_token_without_a_kid_is_tried_with_32_keys() {
    let pairs: Vec<_> = (0..33).map(|_| Pair::ec()).collect();
    let keys: Vec<_> = pairs.iter().enumerate().map(|(n, pair)| pair.jwk(&format!("k{n}"))).collect();
    let server = serving(&keys).await;
    let authenticator = authenticator(&server, EAGER);
    let of = |pair: &Pair| pair.sign(None, &claims(json!({})));
    assert!(authenticator.authenticate(&of(&pairs[31])).await.is_ok());
    assert_eq!(authenticator.authenticate(&of(&pairs[32])).await, Err(Rejected::Unnamed));
    assert!(authenticator.authenticate(&pairs[32].sign(Some("k32"), &claims(json!({})))).await.is_ok());
}

#[tokio::test]
async fn a_token_that_may_be_newer_than_the_set_is_not_refused_for_good() {
    let (ours, theirs) = (Pair::ec(), Pair::ec());
    let server = serving(&[ours.jwk("1")]).await;
    let authenticator = authenticator(&server, LAZY);
    assert!(authenticator.authenticate(&ours.sign(Some("1"), &claims(json!({})))).await.is_ok());
    let now = Utc::now().timestamp();
    let of = |changes: Value| theirs.sign(Some("2"), &claims(changes));
    for (token, open) in [
        (of(json!({})), true),
        // The leeway: the issuer's clock may be behind.
        (of(json!({"iat": now - 20})), true),
        (of(json!({"iat": now - 40})), false),
    ] {
        let answer = authenticator.authenticate(&token).await;
        assert_eq!(is_open(&answer), open, "{answer:?}");
    }
    let mut silent = claims(json!({}));
    silent.as_object_mut().unwrap().remove("iat");
    let answer = authenticator.authenticate(&theirs.sign(Some("2"), &silent)).await;
    let Err(Rejected::KeysUnavailable(next)) = answer else { panic!("{answer:?}") };
    assert!(next > Duration::from_mins(4) && next <= LAZY.pause, "{next:?}");
    assert_eq!(fetches(&server).await, 1);
}

#[tokio::test]
async fn a_token_that_no_key_could_make_good_costs_no_fetch() {
    let (server, pair) = (serving(&[Pair::ec().jwk("1")]).await, Pair::ec());
    let authenticator = authenticator(&server, EAGER);
    let now = Utc::now().timestamp();
    let stale = authenticator.authenticate(&pair.sign(Some("2"), &claims(json!({"exp": now - 60})))).await;
    assert_eq!(stale, Err(Rejected::Expired));
    let nobody = authenticator.authenticate(&pair.sign(Some("2"), &claims(json!({"sub": ""})))).await;
    assert!(matches!(nobody, Err(Rejected::Claims(_))));
    assert_eq!(fetches(&server).await, 0);
}

#[tokio::test]
async fn requests_that_come_while_the_keys_are_fetched_wait_for_them() {
    let (old, new) = (Pair::ec(), Pair::ec());
    let server = serving(&[old.jwk("1")]).await;
    let authenticator = authenticator(&server, Rhythm { pause: Duration::from_secs(10), ..EAGER });
    let of = |pair: &Pair, kid: &str| pair.sign(Some(kid), &claims(json!({"jti": kid})));
    // The set is not known before the first request, and comes late.
    let answer = ResponseTemplate::new(200).set_body_json(json!({"keys": [old.jwk("1"), new.jwk("2")]}));
    serve(&server, answer.set_delay(Duration::from_millis(300))).await;
    let tokens: Vec<_> = (0..50).map(|n| if n % 2 == 0 { of(&old, "1") } else { of(&new, "2") }).collect();
    let answers = futures_util::future::join_all(tokens.iter().map(|token| authenticator.authenticate(token))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(fetches(&server).await, 1);
}

#[tokio::test]
async fn keys_without_a_name_are_fetched_anew_when_none_of_them_signed() {
    let unnamed = |pair: &Pair| {
        let mut key = pair.jwk("");
        key.as_object_mut().unwrap().remove("kid");
        key
    };
    let (old, new) = (Pair::ec(), Pair::ec());
    let server = serving(&[unnamed(&old)]).await;
    let authenticator = authenticator(&server, EAGER);
    assert!(authenticator.authenticate(&old.sign(None, &claims(json!({})))).await.is_ok());
    serve(&server, ResponseTemplate::new(200).set_body_json(json!({"keys": [unnamed(&new)]}))).await;
    assert!(authenticator.authenticate(&new.sign(None, &claims(json!({})))).await.is_ok());
}

#[test]
fn keys_beyond_the_bound_and_those_that_are_no_use_are_named() {
    let pair = Pair::ec();
    let set = |count: usize| {
        let mut keys: Vec<_> = (0..count).map(|n| pair.jwk(&format!("k{n}"))).collect();
        keys.insert(1, json!({"kty": "oct", "kid": "ours", "k": "AAAA"}));
        KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
    };
    let whole = set(1_000);
    assert_eq!(whole.beyond, None);
    assert!(whole.unusable.is_some_and(|note| note.ends_with(r#": "ours""#)));
    let beyond = set(1_002).beyond.unwrap();
    assert!(beyond.ends_with(r#"are refused: "k1000", "k1001""#), "{beyond}");
}

#[tokio::test]
async fn tokens_of_unknown_keys_do_not_hold_up_those_of_known_ones() {
    let (ours, theirs) = (Pair::ec(), Pair::ec());
    let server = serving(&[ours.jwk("1")]).await;
    let authenticator = authenticator(&server, EAGER);
    let good = ours.sign(Some("1"), &claims(json!({})));
    assert!(authenticator.authenticate(&good).await.is_ok());
    serve(&server, ResponseTemplate::new(200).set_delay(Duration::from_mins(1))).await;
    let unknown: Vec<_> = (0..100).map(|n| theirs.sign(Some(&format!("x{n}")), &claims(json!({})))).collect();
    let flood = futures_util::future::join_all(unknown.iter().map(|token| authenticator.authenticate(token)));
    tokio::select! {
        biased;
        answers = flood => panic!("the issuer does not answer: {answers:?}"),
        answer = authenticator.authenticate(&good) => assert!(answer.is_ok()),
    }
}
