//! One action on the items of an inbox that match a filter, in several transactions.

use diesel::result::QueryResult;
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::{
    filter_scan::filter_scan,
    state::{MOST_ROWS, stamp},
};
use crate::domain::{cursor::Seq, notification::Action, user::UserKey};
use crate::store::{
    database::{shared::repeat, unavailable::Unavailable},
    handle::Store,
    inbox::{filter_scan::Filter, state::Changed},
    log::streams,
};

impl Store {
    /// Does the action to the matching items among the newest that arrived before a seq, of which it scans as many as one change
    /// may have. It also answers where to continue, if there may be more.
    ///
    /// # Errors
    /// When the database does not answer. A repeat is safe.
    pub async fn change_matching(
        &self,
        key: &UserKey,
        filter: &Filter,
        before: Seq,
        action: Action,
    ) -> Result<(Changed, Option<Seq>), Unavailable> {
        let _permit = self.shared.permit_for(key).await?;
        repeat!(self.shared, conn => conn.transaction(async |conn| {
            change_matching(conn, key, filter, before, action).await
        }))
        .map_err(|_| Unavailable)
    }
}

async fn change_matching(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    filter: &Filter,
    before: Seq,
    action: Action,
) -> QueryResult<(Changed, Option<Seq>)> {
    let most = MOST_ROWS as i64;
    let stream = streams::lock(conn, key).await?;
    let found = filter_scan(conn, key, filter, before, most).await?;
    let next = found.end(most);
    Ok((stamp(conn, key, stream, &found.seqs, action).await?, next))
}
