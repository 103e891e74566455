//! The tables `kinds` and `tenant_settings`: a tenant's own kinds and default channels.

use std::{collections::HashMap, sync::Arc};

use diesel::{dsl::now, prelude::*, result::QueryResult};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::domain::{
    kinds::{Defaults, Definition, Own},
    precondition::Versioned,
    user::Tenant,
};
use crate::store::{
    database::{
        shared::{Shared, repeat},
        stored,
        unavailable::Unavailable,
    },
    handle::Store,
    schema::{kinds, tenant_settings},
};

impl Store {
    /// The kinds and default channels of all tenants.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn kinds(&self) -> Result<HashMap<Tenant, Own>, Unavailable> {
        self.shared.once(async |conn| load(conn, &self.shared).await).await
    }

    /// Writes a tenant's definition of a kind; false when the tenant would have more kinds than `most`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_kind(
        &self,
        tenant: &Tenant,
        kind: &str,
        definition: &Definition,
        most: i64,
    ) -> Result<bool, Unavailable> {
        repeat!(self.shared, conn => put(conn, tenant, kind, definition, most)).map_err(|_| Unavailable)
    }

    /// Deletes a tenant's definition of a kind.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_kind(&self, tenant: &Tenant, kind: &str) -> Result<(), Unavailable> {
        let found = || diesel::delete(kinds::table.find((tenant.as_str(), kind)));
        repeat!(self.shared, conn => found().execute(conn)).map(drop).map_err(|_| Unavailable)
    }

    /// A tenant's default channels.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn defaults(&self, tenant: &Tenant) -> Result<Versioned<Defaults>, Unavailable> {
        let find = async |conn: &mut AsyncPgConnection| {
            let row = tenant_settings::table.find(tenant.as_str());
            let row = row.select((tenant_settings::settings, tenant_settings::version)).first(conn).await.optional()?;
            Ok(row.map(defaults_of).transpose()?.unwrap_or_default())
        };
        self.shared.once(find).await
    }

    /// Replaces a tenant's default channels by the result of `make`, under the lock of their row. An equal result is not
    /// written.
    ///
    /// # Errors
    /// What `make` refuses. When the database does not answer; they may have been written all the same.
    pub async fn change_defaults<E: From<Unavailable> + Send>(
        &self,
        tenant: &Tenant,
        make: impl FnOnce(&Versioned<Defaults>) -> Result<Defaults, E> + Send,
    ) -> Result<Versioned<Defaults>, E> {
        let _turn = self.shared.tenants.acquire(tenant).await?;
        let run = async |conn: &mut AsyncPgConnection| {
            conn.transaction(async move |conn| change_defaults(conn, tenant, make).await).await
        };
        self.shared.once(run).await?
    }
}

/// Plain data always serialises.
fn document(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

/// Reads a document. A later version may have written one that this version cannot read: it is then left out, so that
/// the other kinds and tenants remain in force.
fn read<T: DeserializeOwned>(shared: &Shared, name: &str, document: Value) -> Option<T> {
    serde_json::from_value(document).inspect_err(|error| shared.note_unreadable(name, error)).ok()
}

async fn load(conn: &mut AsyncPgConnection, shared: &Shared) -> QueryResult<HashMap<Tenant, Own>> {
    let rows: Vec<(String, String, Value)> =
        kinds::table.select((kinds::tenant, kinds::kind, kinds::definition)).load(conn).await?;
    let settings: Vec<(String, Value)> =
        tenant_settings::table.select((tenant_settings::tenant, tenant_settings::settings)).load(conn).await?;
    let mut tenants: HashMap<Tenant, Own> = HashMap::new();
    for (name, kind, definition) in rows {
        let tenant: Tenant = stored::parse(&name)?;
        if let Some(definition) = read::<Definition>(shared, &format!("kind {kind} of tenant {name}"), definition) {
            tenants.entry(tenant).or_default().kinds.insert(kind, Arc::new(definition));
        }
    }
    for (name, settings) in settings {
        let tenant: Tenant = stored::parse(&name)?;
        if let Some(defaults) = read::<Defaults>(shared, &format!("settings of tenant {name}"), settings) {
            tenants.entry(tenant).or_default().defaults = Arc::new(defaults);
        }
    }
    Ok(tenants)
}

async fn put(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    kind: &str,
    definition: &Definition,
    most: i64,
) -> QueryResult<bool> {
    conn.transaction(async |conn| {
        let mine = kinds::table.filter(kinds::tenant.eq(tenant.as_str()));
        let others: i64 = mine.filter(kinds::kind.ne(kind)).count().get_result(conn).await?;
        if others >= most {
            return Ok(false);
        }
        let definition = document(definition);
        let said = || kinds::definition.eq(&definition);
        diesel::insert_into(kinds::table)
            .values((kinds::tenant.eq(tenant.as_str()), kinds::kind.eq(kind), said()))
            .on_conflict((kinds::tenant, kinds::kind))
            .do_update()
            .set((said(), kinds::updated_at.eq(now)))
            .execute(conn)
            .await?;
        Ok(true)
    })
    .await
}

/// A change starts from the stored document, so a default here would overwrite the document of a later version.
fn defaults_of((settings, version): (Value, i64)) -> QueryResult<Versioned<Defaults>> {
    Ok(Versioned { document: serde_json::from_value(settings).map_err(stored::unreadable)?, version })
}

async fn change_defaults<E>(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    make: impl FnOnce(&Versioned<Defaults>) -> Result<Defaults, E>,
) -> QueryResult<Result<Versioned<Defaults>, E>> {
    let before = lock_defaults(conn, tenant).await?;
    let defaults = match make(&before) {
        Ok(defaults) => defaults,
        Err(refused) => return Ok(Err(refused)),
    };
    if defaults == before.document {
        return Ok(Ok(before));
    }
    let after = before.next(defaults);
    diesel::update(tenant_settings::table.find(tenant.as_str()))
        .set((
            tenant_settings::settings.eq(document(&after.document)),
            tenant_settings::version.eq(after.version),
            tenant_settings::updated_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(Ok(after))
}

/// The row is made if missing, so that there is something to lock.
async fn lock_defaults(conn: &mut AsyncPgConnection, tenant: &Tenant) -> QueryResult<Versioned<Defaults>> {
    diesel::insert_into(tenant_settings::table)
        .values((
            tenant_settings::tenant.eq(tenant.as_str()),
            tenant_settings::settings.eq(document(&Defaults::default())),
            tenant_settings::version.eq(0),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    let row =
        tenant_settings::table.find(tenant.as_str()).select((tenant_settings::settings, tenant_settings::version));
    defaults_of(row.for_update().first(conn).await?)
}
