//! The table `preferences`, and the time zones that it names.

use diesel::{QueryableByName, dsl::now, prelude::*, result::QueryResult, sql_query, sql_types::Text};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use crate::domain::{precondition::Versioned, preferences::Preferences, user::UserKey};
use crate::store::{
    database::{stored, unavailable::Unavailable, zones},
    handle::Store,
    log::{
        account_log::{self, SETTINGS, Stamped},
        streams,
    },
    schema::preferences,
};

impl Store {
    /// A user's preferences.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn preferences(&self, key: &UserKey) -> Result<Versioned<Preferences>, Unavailable> {
        self.shared.once(async |conn| read(conn, key).await).await
    }

    /// `make` makes new preferences from the present ones, under the lock of the user's stream: so concurrent changes follow each
    /// other. They are written as a change of the user's log; equal ones are not written and have no stamp.
    ///
    /// # Errors
    /// What `make` refuses. When the database does not answer; they may have been written all the same.
    pub async fn change_preferences<E: From<Unavailable> + Send>(
        &self,
        key: &UserKey,
        make: impl FnOnce(&Versioned<Preferences>) -> Result<Preferences, E> + Send,
    ) -> Result<(Versioned<Preferences>, Option<Stamped>), E> {
        let _permit = self.shared.permit_for(key).await?;
        let run = async |conn: &mut AsyncPgConnection| {
            conn.transaction(async move |conn| change(conn, key, make).await).await
        };
        self.shared.once(run).await?
    }

    /// Gives the database the time zones of this binary, unless it has those of the same release or of a later one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn write_zones(&self) -> Result<(), Unavailable> {
        self.shared.once(async |conn| zones::write(conn).await).await
    }

    /// Time zones that preferences name and no zone has, 100 of them at most. It reads all preferences.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unknown_zones(&self) -> Result<Vec<String>, Unavailable> {
        self.shared.once(async |conn| unknown_zones(conn).await).await
    }
}

async fn read(conn: &mut AsyncPgConnection, key: &UserKey) -> QueryResult<Versioned<Preferences>> {
    let row: Option<(Value, i64)> = preferences::table
        .find((key.tenant.as_str(), key.user.as_str()))
        .select((preferences::settings, preferences::version))
        .first(conn)
        .await
        .optional()?;
    let Some((document, version)) = row else { return Ok(Versioned::default()) };
    let document = serde_json::from_value(document).map_err(stored::unreadable)?;
    Ok(Versioned { document, version })
}

async fn change<E>(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    make: impl FnOnce(&Versioned<Preferences>) -> Result<Preferences, E>,
) -> QueryResult<Result<(Versioned<Preferences>, Option<Stamped>), E>> {
    streams::lock(conn, key).await?;
    let before = read(conn, key).await?;
    let settings = match make(&before) {
        Ok(settings) => settings,
        Err(refused) => return Ok(Err(refused)),
    };
    if settings == before.document {
        return Ok(Ok((before, None)));
    }
    let after = before.next(settings);
    write(conn, key, &after).await?;
    let stamped = account_log::stamp(conn, key, SETTINGS).await?;
    Ok(Ok((after, Some(stamped))))
}

async fn write(conn: &mut AsyncPgConnection, key: &UserKey, after: &Versioned<Preferences>) -> QueryResult<()> {
    // Plain data always serialises.
    let document = serde_json::to_value(&after.document).unwrap_or_default();
    let said = || (preferences::settings.eq(&document), preferences::version.eq(after.version));
    diesel::insert_into(preferences::table)
        .values((preferences::tenant.eq(key.tenant.as_str()), preferences::user_id.eq(key.user.as_str()), said()))
        .on_conflict((preferences::tenant, preferences::user_id))
        .do_update()
        .set((said(), preferences::updated_at.eq(now)))
        .execute(conn)
        .await
        .map(drop)
}

async fn unknown_zones(conn: &mut AsyncPgConnection) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Named {
        #[diesel(sql_type = Text)]
        zone: String,
    }
    let named: Vec<Named> = sql_query(
        "select zone from (select distinct settings->'quietHours'->>'timeZone' as zone from preferences) as named \
         where zone is not null and not exists (select from zone_names where name = zone) order by zone limit 100",
    )
    .load(conn)
    .await?;
    Ok(named.into_iter().map(|Named { zone }| zone).collect())
}
