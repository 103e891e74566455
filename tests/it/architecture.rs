//! Absences that the architecture promises, and files that must agree with the code.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{ROOT, harness::*};

pub fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The files below `src` whose code mentions a word; comments do not count.
fn mentions(word: &str) -> Vec<String> {
    let source = Path::new(ROOT).join("src");
    let has_word = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        text.lines().any(|line| line.contains(word) && !line.trim_start().starts_with("//"))
    };
    let found = sources(&source).into_iter().filter(has_word);
    found.map(|file| file.strip_prefix(&source).unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_dependency_stays_in_its_rooms() {
    for (words, rooms) in [
        (&["diesel::", "diesel_async", "use diesel"][..], &["store/"][..]),
        (&["actix_web::", "actix_web_lab::", "actix_http::", "actix_cors::"], &["http/", "app/"]),
        (&["StatusCode"], &["http/error.rs", "http/middleware.rs", "app/tests/", "client/"]),
        (&["use redis::", "redis::Client", "deadpool_redis"], &["bus/", "ingest/"]),
        (&["env::vars", "std::env::"], &["config/", "cli/"]),
        (&["pglite_oxide::"], &["store/"]),
        (&["tungstenite"], &["http/ws/"]),
        (&["reqwest::"], &["auth/jwks.rs", "client/", "cli/publish.rs"]),
    ] {
        let mut empty = rooms.to_vec();
        for word in words {
            let found = mentions(word);
            // A word that occurs nowhere would forbid nothing.
            assert!(!found.is_empty(), "{word:?} occurs nowhere");
            empty.retain(|room| !found.iter().any(|file| file.starts_with(room)));
            let outside = found.iter().filter(|file| !rooms.iter().any(|room| file.starts_with(room)));
            assert_eq!(outside.collect::<Vec<_>>(), [""; 0], "{word:?} belongs into {rooms:?}");
        }
        assert_eq!(empty, [""; 0], "rooms without any of {words:?}");
    }
}

#[test]
fn the_hub_knows_neither_store_nor_sockets() {
    let hub = sources(&Path::new(ROOT).join("src/live/hub"));
    assert!(hub.len() > 5, "{hub:?}");
    for file in hub {
        let text = fs::read_to_string(&file).unwrap();
        for word in ["store::", "store,", "tokio::net", "actix", "http::"] {
            assert!(!text.contains(word), "{} knows {word}", file.display());
        }
    }
}

/// Compares the names, types and nullability of every column, in order, as `diesel print-schema` would generate them.
#[tokio::test]
async fn the_schema_in_the_code_is_the_schema_that_migrations_make() {
    let postgres = Postgres::start().await;
    let rows = postgres
        .connect()
        .await
        .query(
            "select table_name, column_name, udt_name, is_nullable = 'YES' from information_schema.columns \
             where table_schema = 'public' and table_name not like '\\_\\_diesel%' order by table_name, ordinal_position",
            &[],
        )
        .await
        .unwrap();
    let mut made: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let sql_type = diesel_name(row.get(2));
        let full = if row.get(3) { format!("Nullable<{sql_type}>") } else { sql_type };
        made.entry(row.get(0)).or_default().push(format!("{} -> {full}", row.get::<_, String>(1)));
    }
    let text = fs::read_to_string(Path::new(ROOT).join("src/store/schema.rs")).unwrap();
    assert_eq!(declared(&text), made);
}

fn diesel_name(udt: &str) -> String {
    match udt {
        "uuid" | "text" | "int2" | "int4" | "int8" | "bool" | "bytea" | "jsonb" | "timestamptz" | "float8"
        | "interval" => udt[..1].to_uppercase() + &udt[1..],
        array if array.starts_with('_') => format!("Array<{}>", diesel_name(&array[1..])),
        other => panic!("{other} is not known here"),
    }
}

/// The columns of each `table!` in the text.
fn declared(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut table = None;
    for line in text.lines().map(str::trim) {
        match line.split_once(" -> ") {
            Some((column, sql_type)) => {
                let column = format!("{column} -> {}", sql_type.trim_end_matches(','));
                tables.entry(table.clone().expect("a table")).or_default().push(column);
            }
            None if line.ends_with('{') && line.contains('(') => {
                table = line.split_whitespace().next().map(str::to_owned);
            }
            None => {}
        }
    }
    tables
}

#[tokio::test]
async fn migrations_can_be_taken_back_and_run_again() {
    let postgres = Postgres::start().await;
    let client = postgres.connect().await;
    let mut migrations: Vec<_> = fs::read_dir(Path::new(ROOT).join("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    migrations.sort();
    for migration in migrations.iter().rev() {
        client.batch_execute(&fs::read_to_string(migration.join("down.sql")).unwrap()).await.unwrap();
    }
    let left = client
        .query_one(
            "select count(*) from pg_tables where schemaname = 'public' and tablename not like '\\_\\_diesel%'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
    for migration in &migrations {
        client.batch_execute(&fs::read_to_string(migration.join("up.sql")).unwrap()).await.unwrap();
    }
}

#[test]
fn every_file_that_names_the_version_names_this_one() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, line) in [
        ("web/package.json", format!("\"version\": \"{version}\"")),
        ("k8s/overlays/production/kustomization.yaml", format!("newTag: {version}")),
        ("CHANGELOG.md", format!("## {version}")),
        ("src/health.rs", format!("example = \"{version}\"")),
    ] {
        let text = fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
        assert!(text.contains(&line), "{file} lacks {line}");
    }
}
