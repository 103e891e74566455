//! The values that handlers take from a request: the caller, its scope, and the item.

use std::{
    future::{Ready, ready},
    str::FromStr,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::{
    Parts,
    credentials::{self, Credential, Proofs},
    error::ApiError,
    query::Params,
};
use crate::{
    auth::{Identity, Rejected},
    domain::{
        text::Malformed,
        topic::{Topic, TopicKind},
        user::UserId,
    },
};

/// Any verified caller.
pub struct Caller(pub Identity);

/// A caller that may publish to its tenant.
pub struct MayPublish(pub Identity);

/// A caller that may do everything within its tenant.
pub struct Admin(pub Identity);

/// The notification that the path names.
pub struct ItemId(pub Uuid);

/// The topic that the path names.
pub struct TopicName(pub Topic);

/// The user that the path names.
pub struct UserName(pub UserId);

/// A request whose query is empty: nothing in it is overlooked.
pub struct NoQuery;

/// The kind of topics that the path names.
pub struct KindName(pub TopicKind);

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let parts = parts(&request)?;
            let proofs = credentials::of_request(&request, &parts.settings)?;
            parts.identify(proofs).await.map(Self)
        }
        .boxed_local()
    }
}

impl FromRequest for MayPublish {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload);
        async move {
            let Caller(identity) = caller.await?;
            let may = identity.publish || identity.admin;
            if may { Ok(Self(identity)) } else { Err(ApiError::MissingScope("publish")) }
        }
        .boxed_local()
    }
}

impl FromRequest for Admin {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload);
        async move {
            let Caller(identity) = caller.await?;
            if identity.admin { Ok(Self(identity)) } else { Err(ApiError::MissingScope("admin")) }
        }
        .boxed_local()
    }
}

impl FromRequest for ItemId {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    /// A text that is no id names no item: the same 404 as an unknown one.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(|text| text.parse().ok());
        ready(id.map(Self).ok_or(ApiError::NoSuchItem))
    }
}

impl FromRequest for NoQuery {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Params::parse(request.query_string()).finish().map(|()| Self))
    }
}

/// Lets a part of the path be asked for as a type.
macro_rules! part_of_path {
    ($($type:ident is $part:literal;)*) => {$(
        impl FromRequest for $type {
            type Error = ApiError;
            type Future = Ready<Result<Self, ApiError>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(part(request, $part).map(Self))
            }
        }
    )*};
}

part_of_path! {
    TopicName is "topic";
    UserName is "user";
    KindName is "kind";
}

/// A part of the path, whose separators were left encoded.
///
/// # Errors
/// When it is no value of its type.
pub fn part<T: FromStr<Err = Malformed>>(request: &HttpRequest, name: &'static str) -> Result<T, ApiError> {
    let text = request.match_info().get(name).unwrap_or_default();
    let text = percent_decode_str(text).decode_utf8().map_err(|_| ApiError::BadPath(name, "it is not UTF-8"))?;
    text.parse().map_err(|Malformed(detail)| ApiError::BadPath(name, detail))
}

fn parts(request: &HttpRequest) -> Result<Data<Parts>, ApiError> {
    request.app_data::<Data<Parts>>().cloned().ok_or(ApiError::Internal)
}

impl Parts {
    /// The identity of the first proof that holds.
    ///
    /// # Errors
    /// When none holds, or when that cannot be told at the moment.
    pub async fn identify(&self, proofs: Proofs) -> Result<Identity, ApiError> {
        let mut refused = Vec::new();
        for proof in proofs {
            match self.identify_by(proof.credential).await {
                Ok(identity) => return Ok(identity),
                Err(error) => refused.push((proof.place, error)),
            }
        }
        Err(ApiError::of_proofs(refused))
    }

    /// The identity of a credential, unless it was revoked.
    async fn identify_by(&self, credential: Credential) -> Result<Identity, ApiError> {
        let ticket = match credential {
            Credential::Token(token) => return Ok(self.authenticator.authenticate(&token).await?),
            Credential::Ticket(ticket) => ticket,
        };
        // Boxed: the way of few would make the future of every request larger.
        let identity = Box::pin(self.store.redeem_ticket(&ticket)).await?.ok_or_else(stale_ticket)?;
        if self.authenticator.revocations().refuses(&identity) {
            return Err(Rejected::Revoked.into());
        }
        Ok(identity)
    }
}

fn stale_ticket() -> ApiError {
    ApiError::BadToken("the ticket is unknown, used or expired".to_owned())
}
