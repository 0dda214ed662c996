//! Store of past runs: one folder per run with all its files, and `latest`, a link to the newest.
//!
//! `<store>/<name>/<start time, UTC>/` holds `test.json`, `history.jsonl`, `results.json` and `nodes/<n>/`.

use std::{
    fs,
    io::{self, Write as _},
    os::unix,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::Serialize;

/// Maximum number of runs of one name that can start within one second.
const MAX_RUNS_A_SECOND: u32 = 1000;

/// Reason why something could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system returned an error.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// The action that was tried.
        action: &'static str,
        /// The path it was tried on.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The name would lead out of the store or be hidden in it.
    #[error("{0:?} cannot name a run: use letters, digits, '-', '_', '+' and '.', not '.' first, and not \"latest\"")]
    Name(String),
    /// The content cannot be written as JSON.
    #[error("{}: cannot be written as JSON: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The error of the serializer.
        source: serde_json::Error,
    },
}

/// Folder of all runs.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// Folder of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl Store {
    /// Opens a store, and creates its folder if it is missing.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be created.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(failed("make the store", root))?;
        let root = fs::canonicalize(root).map_err(failed("find the store", root))?;
        Ok(Self { root })
    }

    /// Returns the path of the store: absolute, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Creates the folder of a run that starts now.
    ///
    /// # Errors
    /// Returns an error if `name` is not fit for a folder, or if the folder cannot be created.
    pub fn begin(&self, name: &str) -> Result<RunDir, StoreError> {
        let fit = |c: char| c.is_ascii_alphanumeric() || "-_+.".contains(c);
        if name.is_empty() || name.starts_with('.') || name == LATEST || name.len() > 128 || !name.chars().all(fit) {
            return Err(StoreError::Name(name.to_owned()));
        }
        let parent = self.root.join(name);
        match fs::create_dir(&parent) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("make the folder", &parent)(source));
            }
            _ => {}
        }
        // A link could lead out of the store.
        if !fs::symlink_metadata(&parent).map_err(failed("look at", &parent))?.is_dir() {
            return Err(failed("make the folder", &parent)(io::ErrorKind::NotADirectory.into()));
        }
        let stamp = utc_stamp(SystemTime::now());
        for attempt in 0..MAX_RUNS_A_SECOND {
            let path = match attempt {
                0 => parent.join(&stamp),
                again => parent.join(format!("{stamp}-{again:03}")),
            };
            match fs::create_dir(&path) {
                Ok(()) => return Ok(RunDir { path }),
                Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(failed("make the folder", &path)(source)),
            }
        }
        let path = parent.join(stamp);
        Err(failed("find a free folder", &path)(io::ErrorKind::AlreadyExists.into()))
    }

    /// Points `latest` at `run`, atomically: a reader finds either the old run or the new one.
    ///
    /// # Errors
    /// Returns an error if the link cannot be made, or if `run` belongs to another store.
    pub fn set_latest(&self, run: &RunDir) -> Result<(), StoreError> {
        let link = self.root.join(LATEST);
        let target = run
            .path
            .strip_prefix(&self.root)
            .map_err(|_| failed("point at a run of another store", &link)(io::ErrorKind::InvalidInput.into()))?;
        let new = self.root.join(format!(".{LATEST}-{}", std::process::id()));
        match fs::remove_file(&new) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &new)(source)),
            _ => {}
        }
        unix::fs::symlink(target, &new).map_err(failed("make the link", &new))?;
        fs::rename(&new, &link).map_err(failed("replace the link", &link))
    }

    /// Returns all runs, ordered by name and then by start time.
    ///
    /// # Errors
    /// Returns an error if a folder cannot be read.
    pub fn runs(&self) -> Result<Vec<RunDir>, StoreError> {
        let mut runs = Vec::new();
        for name in folders(&self.root)? {
            runs.extend(folders(&name)?.into_iter().map(|path| RunDir { path }));
        }
        Ok(runs)
    }
}

impl RunDir {
    /// Opens the folder of an existing run.
    ///
    /// # Errors
    /// Returns an error if it does not exist.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { path: fs::canonicalize(path).map_err(failed("find the folder", path))? })
    }

    /// Creates exactly this folder, and its missing parents.
    ///
    /// # Errors
    /// Returns an error if the folder exists already or cannot be created.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed("make the folder", parent))?;
        }
        fs::create_dir(path).map_err(failed("make the folder", path))?;
        let path = fs::canonicalize(path).map_err(failed("find the folder", path))?;
        Ok(Self { path })
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the history: `history.jsonl`, or `history.jsonl.zst` once it was compressed.
    pub fn history_path(&self) -> PathBuf {
        let plain = self.path.join("history.jsonl");
        let compressed = self.path.join("history.jsonl.zst");
        if !plain.exists() && compressed.exists() { compressed } else { plain }
    }

    /// Returns the folder of one node, and creates it if it is missing.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be created.
    pub fn node_dir(&self, id: u16) -> Result<PathBuf, StoreError> {
        let path = self.path.join("nodes").join(id.to_string());
        fs::create_dir_all(&path).map_err(failed("make the folder", &path))?;
        Ok(path)
    }

    /// Writes a JSON file atomically, under a temporary name that is then renamed. Returns its path.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written, or if `content` cannot be represented in JSON.
    pub fn write_json(&self, file: &str, content: &impl Serialize) -> Result<PathBuf, StoreError> {
        let path = self.path.join(file);
        let mut text =
            serde_json::to_vec_pretty(content).map_err(|source| StoreError::Json { path: path.clone(), source })?;
        text.push(b'\n');
        self.write(file, &text)
    }

    /// Writes a file atomically, under a temporary name that is then renamed. Returns its path.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn write(&self, file: &str, content: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.path.join(file);
        let new = self.path.join(format!(".{file}.new"));
        // An old file, which could be a link, is removed rather than written through.
        match fs::remove_file(&new) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &new)(source)),
            _ => {}
        }
        let mut out = fs::File::create_new(&new).map_err(failed("write", &path))?;
        let written = out.write_all(content).and_then(|()| out.sync_all()).map_err(failed("write", &path));
        let named = written.and_then(|()| fs::rename(&new, &path).map_err(failed("replace", &path)));
        // What could not be written as a whole, or not be named, is not kept.
        named.inspect_err(|_| drop(fs::remove_file(&new)))?;
        Ok(path)
    }
}

const LATEST: &str = "latest";

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

/// Returns the folders within a folder, sorted, without links and hidden ones.
fn folders(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(failed("read the folder", path))? {
        let entry = entry.map_err(failed("read the folder", path))?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.file_type().map_err(failed("look at", &entry.path()))?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Formats a time as `20260131T235959Z`: RFC 3339 without the characters that are awkward in the names of folders.
fn utc_stamp(now: SystemTime) -> String {
    humantime::format_rfc3339_seconds(now).to_string().replace(['-', ':'], "")
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        time::{Duration, SystemTime, UNIX_EPOCH},
    };

    use serde_json::json;

    use super::{Store, StoreError, utc_stamp};

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(&dir.path().join("a/store")).expect("it is made");
        (dir, store)
    }

    #[test]
    fn runs_that_start_in_the_same_second_have_folders_of_their_own() {
        let (_dir, store) = store();
        let mut runs: Vec<_> = (0..20).map(|_| store.begin("demo").expect("a folder")).collect();
        let made = runs.clone();
        runs.dedup();
        assert_eq!(runs.len(), 20);
        assert_eq!(store.runs().expect("they can be listed"), made, "and are listed in the order of their start");
    }

    #[test]
    fn a_run_has_its_place_for_everything() {
        let (_dir, store) = store();
        let run = store.begin("register-leader").expect("a folder");
        assert!(run.path().is_absolute() && run.path().starts_with(store.path().join("register-leader")));
        assert_eq!(run.history_path(), run.path().join("history.jsonl"));
        assert_eq!(run.node_dir(3).expect("a folder"), run.path().join("nodes/3"));
        assert_eq!(run.node_dir(3).expect("twice does no harm"), run.path().join("nodes/3"));
        assert!(run.path().join("nodes/3").is_dir());
    }

    #[test]
    fn a_run_can_have_just_this_folder_but_only_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("runs/a/seed-1");
        assert!(super::RunDir::create(&path).expect("a folder").path().ends_with("runs/a/seed-1"));
        assert!(super::RunDir::create(&path).expect_err("it is there").to_string().contains("seed-1"));
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let (_dir, store) = store();
        let run = store.begin("x").expect("a folder");
        let path = run.write_json("results.json", &json!({"valid": true})).expect("it is written");
        run.write_json("results.json", &json!({"valid": false})).expect("it is written");
        assert_eq!(fs::read_to_string(path).expect("it is there"), "{\n  \"valid\": false\n}\n");
        assert_eq!(fs::read_dir(run.path()).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn latest_is_a_relative_link_to_the_newest() {
        let (dir, store) = store();
        for name in ["one", "two"] {
            let run = store.begin(name).expect("a folder");
            store.set_latest(&run).expect("a link");
            let link = store.path().join("latest");
            assert!(fs::read_link(&link).expect("a link").is_relative());
            assert_eq!(fs::canonicalize(&link).expect("it leads somewhere"), run.path());
        }
        assert_eq!(store.runs().expect("they can be listed").len(), 2, "the link is not a run");
        fs::rename(dir.path().join("a/store"), dir.path().join("moved")).expect("it can be moved");
        assert!(dir.path().join("moved/latest").is_dir(), "the link leads on after the store was moved");
    }

    #[test]
    fn a_name_stays_in_the_store() {
        let (_dir, store) = store();
        for name in ["", "..", ".hidden", "a/b", "/tmp", "latest", "a b", "ä", &"x".repeat(200)] {
            assert!(matches!(store.begin(name), Err(StoreError::Name(_))), "{name:?}");
        }
    }

    #[test]
    fn a_link_leads_no_run_out_of_the_store() {
        let (dir, store) = store();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).expect("a folder");
        std::os::unix::fs::symlink(&outside, store.path().join("x")).expect("a link");
        store.begin("x").expect_err("the folder is a link");
        let run = store.begin("y").expect("a folder");
        fs::write(outside.join("file"), "theirs").expect("it can be written");
        std::os::unix::fs::symlink(outside.join("file"), run.path().join(".results.json.new")).expect("a link");
        run.write_json("results.json", &1).expect("it is written");
        assert_eq!(fs::read_to_string(outside.join("file")).expect("it is there"), "theirs");
        assert_eq!(fs::read_dir(outside).expect("a folder").count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing_and_is_named() {
        let (_dir, store) = store();
        let run = store.begin("x").expect("a folder");
        fs::create_dir_all(run.path().join("results.json/in the way")).expect("a folder");
        let error = run.write_json("results.json", &1).expect_err("a folder is no file").to_string();
        assert!(error.contains("/results.json:") && !error.contains(".new"), "{error}");
        assert_eq!(fs::read_dir(run.path()).expect("a folder").count(), 1, "only what was there");
    }

    #[test]
    fn an_error_says_which_path() {
        let (_dir, store) = store();
        let run = store.begin("x").expect("a folder");
        fs::remove_dir(run.path()).expect("it is empty");
        let error = run.write_json("results.json", &1).expect_err("its folder is gone").to_string();
        assert!(error.contains("results.json") && error.contains("write"), "{error}");
        fs::write(store.path().join("file"), "").expect("it can be written");
        let error = store.begin("file").expect_err("it is no folder").to_string();
        assert!(error.contains("store/file"), "{error}");
    }

    #[test]
    fn a_stamp_is_the_time_in_utc() {
        let at = |seconds| utc_stamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "19700101T000000Z");
        assert_eq!(at(951_782_399), "20000228T235959Z");
        assert_eq!(at(951_782_400), "20000229T000000Z");
        assert_eq!(at(4_107_542_400), "21000301T000000Z");
        assert_eq!(at(1_767_225_599), "20251231T235959Z");
        assert_eq!(utc_stamp(SystemTime::now()).len(), 16);
    }
}
