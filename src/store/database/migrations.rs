//! The migrations of the binary, and whether the database fits them.
//!
//! A binary runs on a schema that has all of its migrations. A migration that the binary does not know names the oldest binary that
//! may run on it, in the table `schema_compatibility`. One without such a row is of another application, which has its tables in the
//! same schema and the same tool.

use std::collections::BTreeSet;

use anyhow::Context as _;
use diesel::{
    QueryableByName,
    dsl::sql,
    migration::MigrationSource,
    pg::Pg,
    prelude::*,
    result::{Error, QueryResult},
    sql_query,
    sql_types::Text,
};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::sync::watch;
use tokio_postgres::error::SqlState;

use super::{sqlstate, zones};
use crate::store::schema::schema_compatibility;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// The one encoding that has all characters: in any other a text of a publisher may have no form.
const ENCODING: &str = "UTF8";

/// Why the binary does not run on the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The encoding of the database lacks characters.
    #[error(
        "the encoding of the database is {0} and must be UTF8, make another one with: \
         create database tidings_utf8 encoding 'UTF8' locale 'C' template template0"
    )]
    Encoding(String),
    /// Migrations of the binary have not run.
    #[error("schema {present} of {needed}, run tidings migrate")]
    Lacking {
        /// How many have run.
        present: usize,
        /// How many there are.
        needed: usize,
    },
    /// A migration of a newer binary does not allow this one.
    #[error("schema {version} is too new, run a newer tidings, of schema {oldest} or later")]
    TooNew {
        /// The migration.
        version: String,
        /// The newest migration of the oldest binary that may run on it.
        oldest: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fit {
    /// Nobody has looked since the start or since the database was away.
    Unknown,
    Fits,
    Not(Misfit),
}

/// The schema of the database as this process has seen it last.
pub(crate) struct Schema(watch::Sender<Fit>);

impl Misfit {
    /// Whether only another database helps.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Encoding(_))
    }
}

impl Default for Schema {
    fn default() -> Self {
        Self(watch::Sender::new(Fit::Unknown))
    }
}

impl Schema {
    /// Why the schema does not fit; none if it does, and if nobody has looked.
    pub(crate) fn misfit(&self) -> Option<Misfit> {
        match &*self.0.borrow() {
            Fit::Not(misfit) => Some(misfit.clone()),
            Fit::Unknown | Fit::Fits => None,
        }
    }

    /// Whether an operation must look before it uses the schema.
    pub(crate) fn is_unknown(&self) -> bool {
        *self.0.borrow() == Fit::Unknown
    }

    /// Looks at the schema, and logs what has changed.
    pub(crate) async fn look(&self, conn: &mut AsyncPgConnection) -> QueryResult<()> {
        let seen = misfit(conn).await?.map_or(Fit::Fits, Fit::Not);
        // Of several looks at the same time, one logs.
        self.0.send_if_modified(|fit| {
            let is_news = *fit != seen;
            match (&*fit, &seen) {
                (_, Fit::Not(misfit)) if is_news => ::log::error!("the instance is not ready: {misfit}"),
                (Fit::Not(_), Fit::Fits) => ::log::info!("the schema of the database fits now"),
                _ => {}
            }
            *fit = seen;
            is_news
        });
        Ok(())
    }

    /// Forgets that the schema fits: the database may be another one when it comes back.
    pub(crate) fn doubt(&self) {
        self.0.send_if_modified(|fit| {
            let is_news = *fit == Fit::Fits;
            if is_news {
                *fit = Fit::Unknown;
            }
            is_news
        });
    }

    /// Waits until the schema is known not to fit, or until it is not known not to fit.
    pub(crate) async fn until(&self, fits: bool) {
        // The sender lives as long as `self`, so the wait does not fail.
        let _ = self.0.subscribe().wait_for(|fit| matches!(fit, Fit::Not(_)) != fits).await;
    }
}

/// Runs the pending migrations. Instances that start together run one after the other by an advisory lock: two that migrate at
/// once would create the same table twice.
pub(crate) async fn run(mut connection: AsyncPgConnection) -> anyhow::Result<Vec<String>> {
    let wrong = wrong_encoding(&mut connection).await.context("cannot read the encoding of the database")?;
    wrong.map_or(Ok(()), Err)?;
    connection.batch_execute("select pg_advisory_lock(7461164)").await.context("cannot lock the migrations")?;
    let mut harness = AsyncMigrationHarness::new(connection);
    let run = harness
        .run_pending_migrations(MIGRATIONS)
        .map_err(|error| anyhow::anyhow!("a migration failed: {error}"))?
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut connection = harness.into_inner();
    let misfit = misfit(&mut connection).await.context("cannot read the migrations")?;
    misfit.map_or(Ok(()), Err)?;
    zones::write(&mut connection).await.context("cannot write the time zones")?;
    connection.batch_execute("select pg_advisory_unlock(7461164)").await?;
    Ok(run)
}

/// Whether the database cannot hold all characters.
async fn wrong_encoding(conn: &mut AsyncPgConnection) -> QueryResult<Option<Misfit>> {
    let encoding: String = diesel::select(sql::<Text>("current_setting('server_encoding')")).get_result(conn).await?;
    Ok((encoding != ENCODING).then_some(Misfit::Encoding(encoding)))
}

async fn misfit(conn: &mut AsyncPgConnection) -> QueryResult<Option<Misfit>> {
    if let Some(wrong) = wrong_encoding(conn).await? {
        return Ok(Some(wrong));
    }
    let known = known().map_err(Error::QueryBuilderError)?;
    let present = present(conn).await?;
    let needed = known.len();
    let lacking = known.difference(&present).count();
    if lacking > 0 {
        return Ok(Some(Misfit::Lacking { present: needed - lacking, needed }));
    }
    let unknown: Vec<&String> = present.difference(&known).collect();
    if unknown.is_empty() {
        return Ok(None);
    }
    // A migration and its row are one transaction. So the row of a migration that was read above can be read here.
    let rows: Vec<(String, String)> = schema_compatibility::table
        .select((schema_compatibility::version, schema_compatibility::oldest))
        .filter(schema_compatibility::version.eq_any(&unknown))
        .load(conn)
        .await?;
    let newest = known.last().map(String::as_str).unwrap_or_default();
    // The newest says most about the binary that is needed.
    let too_new = rows.into_iter().filter(|(_, oldest)| oldest.as_str() > newest).max();
    Ok(too_new.map(|(version, oldest)| Misfit::TooNew { version, oldest }))
}

/// The versions of the binary's migrations.
fn known() -> Result<BTreeSet<String>, Box<dyn std::error::Error + Send + Sync>> {
    let migrations = MigrationSource::<Pg>::migrations(&MIGRATIONS)?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

/// The versions of the migrations that have run; none in a database that was never migrated.
async fn present(conn: &mut AsyncPgConnection) -> QueryResult<BTreeSet<String>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        version: String,
    }
    match sql_query("select version from __diesel_schema_migrations").load::<Row>(conn).await {
        Err(error) if sqlstate::of(&error) == Some(SqlState::UNDEFINED_TABLE) => Ok(BTreeSet::new()),
        rows => Ok(rows?.into_iter().map(|row| row.version).collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The migration that makes the table.
    const FIRST: &str = "20261129000900";

    #[test]
    fn each_migration_says_which_binaries_may_run_on_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let migrations = MigrationSource::<Pg>::migrations(&MIGRATIONS).unwrap();
        for name in migrations.iter().map(|migration| migration.name()) {
            let version = name.version().to_string();
            if version.as_str() <= FIRST {
                continue;
            }
            let text = fs::read_to_string(folder.join(name.to_string()).join("up.sql")).unwrap();
            let row = format!("insert into schema_compatibility (version, oldest) values ('{version}', '");
            assert!(text.contains(&row), "{name} lacks the statement {row}...')");
        }
    }

    #[test]
    fn a_misfit_names_the_cure() {
        let lacking = Misfit::Lacking { present: 9, needed: 10 };
        assert_eq!(lacking.to_string(), "schema 9 of 10, run tidings migrate");
        let (version, oldest) = ("20270101000000".to_owned(), "20261231000000".to_owned());
        let named = Misfit::TooNew { version, oldest }.to_string();
        assert_eq!(named, "schema 20270101000000 is too new, run a newer tidings, of schema 20261231000000 or later");
    }
}
