//! Keys that an issuer serves, rotates and fails to serve.

use super::*;

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
    assert_eq!(authenticator.authenticate(&unknown).await, Err(Rejected::KeysUnavailable));
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
        assert_eq!(authenticator(&server, EAGER).authenticate(&token).await, Err(Rejected::KeysUnavailable));
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
    let authenticator = authenticator(&server, LAZY);
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
