//! The index: what the files say, to search by. It can be made again at any time.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};

use crate::brick::{Brick, Query};
use crate::error::BoxError;
use crate::facts::Facts;
use crate::files::remove;
use crate::name::Tagged;

/// The form of the tables, as `PRAGMA user_version` tells it.
const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE models(digest TEXT PRIMARY KEY, bytes INTEGER NOT NULL, params INTEGER NOT NULL, accuracy REAL,
        licence TEXT, fingerprint TEXT NOT NULL, source_fingerprint TEXT, facts TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE classes(digest TEXT NOT NULL, class TEXT NOT NULL COLLATE NOCASE);
    CREATE INDEX by_class ON classes(class);
    CREATE TABLE sources(digest TEXT NOT NULL, source TEXT NOT NULL COLLATE NOCASE);
    CREATE TABLE names(name TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY(name, tag));
    PRAGMA user_version = 1;";

/// A model as the files tell of it.
pub(crate) struct Row {
    pub(crate) digest: String,
    pub(crate) bytes: u64,
    pub(crate) facts: Facts,
}

/// A name as the files tell of it.
pub(crate) struct NameRow {
    pub(crate) name: Tagged,
    pub(crate) digest: String,
}

/// All that the files tell.
pub(crate) struct Rows {
    pub(crate) models: Vec<Row>,
    pub(crate) names: Vec<NameRow>,
}

/// An open index.
pub(crate) struct Index {
    connection: Connection,
    /// Whether it is in a file.
    kept: bool,
}

impl Index {
    /// The index in a file, if it is whole and of this version.
    pub(crate) fn open(path: &Path) -> Option<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).ok()?;
        let version =
            connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        let check =
            connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
        let whole = version.ok()? == VERSION && check.ok()? == "ok";
        whole.then_some(Self { connection, kept: true })
    }

    /// A new index of what the files tell, in a file in place of what is there.
    pub(crate) fn create(path: &Path, rows: &Rows) -> Result<Self, BoxError> {
        for path in [path.to_path_buf(), beside(path, "-journal"), beside(path, "-wal")] {
            remove(&path)?;
        }
        Self::filled(Connection::open(path)?, true, rows)
    }

    /// A new index of what the files tell, in memory.
    pub(crate) fn in_memory(rows: &Rows) -> Result<Self, BoxError> {
        Self::filled(Connection::open_in_memory()?, false, rows)
    }

    fn filled(mut connection: Connection, kept: bool, rows: &Rows) -> Result<Self, BoxError> {
        let all = connection.transaction()?;
        all.execute_batch(TABLES)?;
        rows.models.iter().try_for_each(|row| put(&all, row))?;
        rows.names.iter().try_for_each(|row| name(&all, row))?;
        all.commit()?;
        Ok(Self { connection, kept })
    }

    /// Whether it is in a file, for whoever comes next.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept
    }

    /// How many models it knows.
    pub(crate) fn count(&self) -> Result<usize, BoxError> {
        let count = self
            .connection
            .query_row("SELECT count(*) FROM models", [], |row| row.get::<_, i64>(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Takes a model in, or what is known of it now.
    pub(crate) fn put(&mut self, row: &Row) -> Result<(), BoxError> {
        let all = self.connection.transaction()?;
        forget(&all, &row.digest)?;
        put(&all, row)?;
        Ok(all.commit()?)
    }

    /// Forgets a model and its names.
    pub(crate) fn remove(&mut self, digest: &str) -> Result<(), BoxError> {
        let all = self.connection.transaction()?;
        forget(&all, digest)?;
        all.execute("DELETE FROM names WHERE digest = ?1", [digest])?;
        Ok(all.commit()?)
    }

    /// Gives a model a name, in place of what had it.
    pub(crate) fn name(&mut self, row: &NameRow) -> Result<(), BoxError> {
        name(&self.connection, row)
    }

    /// Takes a name away.
    pub(crate) fn unname(&mut self, name: &Tagged) -> Result<(), BoxError> {
        let Tagged { name, tag } = name;
        self.connection.execute("DELETE FROM names WHERE name = ?1 AND tag = ?2", [name, tag])?;
        Ok(())
    }

    /// The digest that a name stands for.
    pub(crate) fn named(&self, name: &Tagged) -> Result<Vec<String>, BoxError> {
        let Tagged { name, tag } = name;
        let text = "SELECT digest FROM names WHERE name = ?1 AND tag = ?2";
        self.digests(text, &[name, tag])
    }

    /// All digests that begin so.
    pub(crate) fn beginning(&self, hex: &str) -> Result<Vec<String>, BoxError> {
        self.digests(
            "SELECT digest FROM models WHERE digest LIKE ?1 || '%' ORDER BY digest",
            &[hex],
        )
    }

    /// Models that were cut from one.
    pub(crate) fn cut_from(&self, digest: &str) -> Result<Vec<Brick>, BoxError> {
        let text = "SELECT digest FROM models WHERE source_fingerprint =
                    (SELECT fingerprint FROM models WHERE digest = ?1) ORDER BY digest";
        self.digests(text, &[digest])?.iter().map(|digest| self.brick(digest)).collect()
    }

    /// What is asked for, by name, then by digest.
    pub(crate) fn find(&self, query: &Query) -> Result<Vec<Brick>, BoxError> {
        let text = "SELECT digest FROM models
            WHERE (?1 IS NULL OR digest IN (SELECT digest FROM classes WHERE class = ?1))
              AND (?2 IS NULL OR digest IN (SELECT digest FROM sources WHERE source = ?2))
              AND (?3 IS NULL OR bytes <= ?3) AND (?4 IS NULL OR params <= ?4)
              AND (?5 IS NULL OR accuracy >= ?5) AND (?6 IS NULL OR licence = ?6 COLLATE NOCASE)
            ORDER BY digest";
        let number =
            |number: Option<u64>| number.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        let Query { class, source, most_bytes, most_params, least_accuracy, licence } = query;
        let mut statement = self.connection.prepare(text)?;
        let given = params![
            class,
            source,
            number(*most_bytes),
            number(*most_params),
            least_accuracy,
            licence
        ];
        let digests = statement.query_map(given, |row| row.get::<_, String>(0))?;
        let mut found =
            digests.map(|digest| self.brick(&digest?)).collect::<Result<Vec<_>, _>>()?;
        // Those without a name last.
        found.sort_by(|a, b| {
            (a.names.is_empty(), &a.names, &a.digest).cmp(&(
                b.names.is_empty(),
                &b.names,
                &b.digest,
            ))
        });
        Ok(found)
    }

    /// A model by its whole digest.
    pub(crate) fn brick(&self, digest: &str) -> Result<Brick, BoxError> {
        let text = "SELECT bytes, facts FROM models WHERE digest = ?1";
        let (bytes, facts) = self.connection.query_row(text, [digest], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        let facts = serde_json::from_str(&facts).map_err(|error| {
            BoxError::Damaged(format!("the index does not tell of {digest}: {error}"))
        })?;
        let mut statement = self
            .connection
            .prepare("SELECT name, tag FROM names WHERE digest = ?1 ORDER BY name, tag")?;
        let names = statement.query_map([digest], |row| {
            Ok(Tagged { name: row.get(0)?, tag: row.get(1)? }.to_string())
        })?;
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let bytes = u64::try_from(bytes).unwrap_or(0);
        Ok(Brick { digest: format!("sha256-{digest}"), names, bytes, facts })
    }

    fn digests(&self, text: &str, given: &[&str]) -> Result<Vec<String>, BoxError> {
        let mut statement = self.connection.prepare(text)?;
        let found = statement
            .query_map(rusqlite::params_from_iter(given), |row| row.get::<_, String>(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

fn put(connection: &Connection, row: &Row) -> Result<(), BoxError> {
    let Row { digest, bytes, facts } = row;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let text = serde_json::to_string(facts).map_err(|error| {
        BoxError::Damaged(format!("what is known of {digest} cannot be written: {error}"))
    })?;
    connection.execute(
        "INSERT INTO models VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            digest,
            number(*bytes),
            number(facts.params),
            facts.accuracy,
            facts.licence,
            facts.fingerprint,
            facts.source_fingerprint,
            text
        ],
    )?;
    for class in &facts.classes {
        connection.execute("INSERT INTO classes VALUES(?1, ?2)", [digest, class])?;
    }
    for source in &facts.sources {
        connection.execute("INSERT INTO sources VALUES(?1, ?2)", [digest, source])?;
    }
    Ok(())
}

fn name(connection: &Connection, row: &NameRow) -> Result<(), BoxError> {
    let NameRow { name: Tagged { name, tag }, digest } = row;
    connection.execute("INSERT OR REPLACE INTO names VALUES(?1, ?2, ?3)", [name, tag, digest])?;
    Ok(())
}

fn forget(connection: &Connection, digest: &str) -> Result<(), BoxError> {
    for table in ["models", "classes", "sources"] {
        connection.execute(&format!("DELETE FROM {table} WHERE digest = ?1"), [digest])?;
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
