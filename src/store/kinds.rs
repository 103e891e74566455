//! The tables `kinds` and `tenant_settings`: a tenant's own word on kinds and on default channels.

use std::{collections::HashMap, sync::Arc};

use diesel::{dsl::now, prelude::*, result::QueryResult};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Store, Unavailable, repeat,
    schema::{kinds, tenant_settings},
};
use crate::{
    kinds::{Defaults, Definition, Own},
    notification::Tenant,
};

impl Store {
    /// What all tenants say.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn kinds(&self) -> Result<HashMap<Tenant, Own>, Unavailable> {
        self.shared.once(async |conn| load(conn).await).await
    }

    /// Writes a tenant's word on a kind; false when it would have more kinds than `most`.
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

    /// Forgets a tenant's word on a kind.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_kind(&self, tenant: &Tenant, kind: &str) -> Result<(), Unavailable> {
        let found = || diesel::delete(kinds::table.find((tenant.as_str(), kind)));
        repeat!(self.shared, conn => found().execute(conn)).map(drop).map_err(|_| Unavailable)
    }

    /// Writes a tenant's default channels.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_defaults(&self, tenant: &Tenant, defaults: &Defaults) -> Result<(), Unavailable> {
        let settings = document(defaults);
        repeat!(self.shared, conn => put_settings(conn, tenant, &settings)).map_err(|_| Unavailable)
    }
}

/// Plain data always serialises.
fn document(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

/// What this version cannot read, a later one may have written: it counts as not said.
fn read<T: DeserializeOwned>(tenant: &str, what: &str, document: Value) -> Option<T> {
    let read = serde_json::from_value(document);
    read.inspect_err(|error| log::warn!("{what} of the tenant {tenant} cannot be read: {error}")).ok()
}

async fn load(conn: &mut AsyncPgConnection) -> QueryResult<HashMap<Tenant, Own>> {
    let rows: Vec<(String, String, Value)> =
        kinds::table.select((kinds::tenant, kinds::kind, kinds::definition)).load(conn).await?;
    let settings: Vec<(String, Value)> =
        tenant_settings::table.select((tenant_settings::tenant, tenant_settings::settings)).load(conn).await?;
    let mut tenants: HashMap<Tenant, Own> = HashMap::new();
    for (name, kind, definition) in rows {
        let Ok(tenant) = name.parse() else { continue };
        if let Some(definition) = read::<Definition>(&name, "a kind", definition) {
            tenants.entry(tenant).or_default().kinds.insert(kind, Arc::new(definition));
        }
    }
    for (name, settings) in settings {
        let Ok(tenant) = name.parse() else { continue };
        if let Some(defaults) = read::<Defaults>(&name, "the settings", settings) {
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

async fn put_settings(conn: &mut AsyncPgConnection, tenant: &Tenant, settings: &Value) -> QueryResult<()> {
    let said = || tenant_settings::settings.eq(settings);
    diesel::insert_into(tenant_settings::table)
        .values((tenant_settings::tenant.eq(tenant.as_str()), said()))
        .on_conflict(tenant_settings::tenant)
        .do_update()
        .set((said(), tenant_settings::updated_at.eq(now)))
        .execute(conn)
        .await
        .map(drop)
}
