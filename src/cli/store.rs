//! `schism store`: past runs, their verdicts and sizes.

use std::{
    collections::BTreeSet,
    fs, io, iter,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::{
    campaign::folder::read_plan,
    error::{ExitStatus, Failure},
    run::{COLUMNS_FILE, Stage, StoredRun, find_runs, is_run},
    store::{ConfinedFolder, PrintedJson, refused, write_inside},
    systems::trace_files,
    terminal::{
        self, Table, sanitize,
        words::{counted, parse_time},
    },
};

/// Lists, removes and compresses past runs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism store ls
  schism store gc --older-than 30d
  schism store rm store/schism-register-leader/20260131T235959Z
  schism store rm schism-register-leader/20260131T235959Z")]
pub(crate) struct StoreArgs {
    #[command(subcommand)]
    action: Action,
}

/// A store, by place or by option.
#[derive(Debug, Args)]
pub(super) struct StoreFolder {
    /// Folder of the stored runs [default: store].
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Folder of the stored runs, in place of DIR.
    #[arg(long, value_name = "DIR", conflicts_with = "dir")]
    store: Option<PathBuf>,
}

impl StoreFolder {
    pub(super) fn path(&self) -> &Path {
        self.dir.as_deref().or(self.store.as_deref()).unwrap_or(Path::new("store"))
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists runs, those of campaigns included, the newest first, with verdicts, durations of their loads, and sizes.
    Ls {
        #[command(flatten)]
        store: StoreFolder,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Removes runs and campaigns; for `latest`, the run that it links to, and `latest` then links to the newest one
    /// that is left. A link that leads out of its folder is refused.
    Rm {
        /// Folders of the runs, or of campaigns with all their runs; or their names, as `schism store ls` prints them.
        #[arg(required = true, value_name = "RUN")]
        runs: Vec<PathBuf>,
        /// The store in which names are looked for.
        #[arg(long, value_name = "DIR", default_value = "store")]
        store: PathBuf,
    },
    /// Compresses histories and traces with zstd; with --older-than, removes old runs without a violation first.
    Gc {
        #[command(flatten)]
        store: StoreFolder,
        /// Remove runs without a violation that began longer ago than this, even the latest; never those of campaigns.
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        older_than: Option<Duration>,
        /// Show what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

impl StoreArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        match self.action {
            Action::Ls { store, json } => list(store.path(), json),
            Action::Rm { runs, store } => remove(&runs, &store),
            Action::Gc { store, older_than, dry_run } => collect_garbage(store.path(), older_than, dry_run),
        }
    }
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    kept: &'a StoredRun,
    bytes: u64,
}

/// A store as printed by `--json`.
#[derive(Debug, Serialize)]
struct StoreJson<'a> {
    /// Path of the store.
    store: String,
    runs: Vec<Row<'a>>,
}

fn list(store: &Path, json: bool) -> anyhow::Result<ExitStatus> {
    let all = find_runs(store)?;
    let rows: Vec<Row<'_>> = all.iter().map(|kept| Row { kept, bytes: size(&kept.path) }).collect();
    if json {
        let store = store.display().to_string();
        return terminal::print_json(&PrintedJson::new(StoreJson { store, runs: rows }));
    }
    let mut table = Table::new(["run", "verdict", "workload", "faults", "seed", "load", "size"]);
    let mut bytes = 0;
    for Row { kept, bytes: of_run } in &rows {
        bytes += of_run;
        let path = kept.path.strip_prefix(store).unwrap_or(&kept.path).display().to_string();
        table.add_row([
            sanitize::line(&path),
            sanitize::line(&kept.in_words),
            sanitize::line(&kept.workload),
            sanitize::line(&kept.faults),
            kept.seed.to_string(),
            kept.lasted_ms.map_or_else(|| "-".to_owned(), tenths),
            mib(*of_run),
        ]);
    }
    terminal::print(&table.above(&format!("{}, {}\n", counted(rows.len(), "run"), mib(bytes))))
}

/// Formats a time in seconds, to a tenth.
fn tenths(ms: u64) -> String {
    let tenths = (ms + 50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

fn remove(runs: &[PathBuf], store: &Path) -> anyhow::Result<ExitStatus> {
    // All are looked at before the first is removed; one may be named twice.
    let meant = runs.iter().map(|run| match named_in(store, run) {
        Some(folder) => Ok(folder),
        None if run == Path::new(LATEST) && !run.is_symlink() => resolve_run(&store.join(run), store),
        None => resolve_run(run, store),
    });
    let meant: BTreeSet<PathBuf> = meant.collect::<anyhow::Result<_>>()?;
    let mut text = String::new();
    for run in meant {
        let what = if is_run(&run) { "run" } else { "campaign" };
        let size = mib(size(&run));
        fs::remove_dir_all(&run).with_context(|| format!("cannot remove {}", run.display()))?;
        move_latest_link(&run).with_context(|| format!("cannot move the link to {}", run.display()))?;
        text += &format!("removed the {what} in {}, {size}\n", run.display());
    }
    terminal::print(&text)
}

/// Maximum depth below a link at which a run still belongs to the store, or to the campaign.
const MAX_LINKS_ABOVE: usize = 4;

/// Returns the folder of the run or campaign with this name in a store, without links; none if the name is a path to
/// something else, or leads out of the store.
fn named_in(store: &Path, name: &Path) -> Option<PathBuf> {
    if name.exists() {
        return None;
    }
    let folder = ConfinedFolder::of(store).ok()?.folder(name).ok()??;
    let is_kept = folder.path() != store && (is_run(folder.path()) || read_plan(folder.path()).ok()?.is_some());
    is_kept.then(|| folder.path().to_owned())
}

/// Returns the folder of the run that a path means, without links; names were looked for in a store.
fn resolve_run(run: &Path, store: &Path) -> anyhow::Result<PathBuf> {
    if fs::symlink_metadata(run).is_err() {
        let store =
            if store.is_dir() { String::new() } else { format!(", and there is no store in {}", store.display()) };
        let what = format!("{} does not exist{store}: nothing was removed", run.display());
        return Err(Failure::new(ExitStatus::Unreadable, what).hint(LISTED).into());
    }
    let refuse = |what: String, hint: String| Err(Failure::new(ExitStatus::Usage, what).hint(hint).into());
    if !is_run(run) && read_plan(run)?.is_none() {
        let what = format!("{} is not the folder of a run or a campaign: nothing was removed", run.display());
        return refuse(what, LISTED.to_owned());
    }
    let whole = fs::canonicalize(run).with_context(|| format!("cannot find {}", run.display()))?;
    // Without a slash at its end, which would have a link followed unseen.
    let typed: PathBuf = run.components().collect();
    for (above, link) in typed.ancestors().take(MAX_LINKS_ABOVE).enumerate().filter(|(_, path)| path.is_symlink()) {
        let holder = link.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let target = fs::canonicalize(link).with_context(|| format!("cannot follow {}", link.display()))?;
        let stays = fs::canonicalize(holder).is_ok_and(|holder| target.starts_with(holder));
        let is_kept = above < 2 || holder.join(LATEST).is_symlink() || holder.join("plan.json").exists();
        if is_kept && !stays {
            let what = format!("{} is a link to {}: nothing was removed", link.display(), target.display());
            return refuse(what, format!("if that is what you mean: schism store rm {}", whole.display()));
        }
    }
    Ok(whole)
}

/// Hint at the names that runs have.
const LISTED: &str = "`schism store ls` names them; --store says in which store a name is looked for";

/// Name of the link to the newest run of a store.
const LATEST: &str = "latest";

/// Points the link to the newest run of the store, if that run is gone, at the newest of those that are left.
fn move_latest_link(run: &Path) -> anyhow::Result<()> {
    for holder in run.ancestors().skip(1).take(MAX_LINKS_ABOVE) {
        let link = holder.join(LATEST);
        if !fs::read_link(&link).is_ok_and(|target| holder.join(target) == run) {
            continue;
        }
        fs::remove_file(&link)?;
        let newest = find_runs(holder)?.into_iter().find(|left| !left.of_campaign);
        if let Some(target) = newest.as_ref().and_then(|left| left.path.strip_prefix(holder).ok()) {
            symlink(target, link)?;
        }
    }
    Ok(())
}

fn collect_garbage(store: &Path, older_than: Option<Duration>, dry_run: bool) -> anyhow::Result<ExitStatus> {
    let (mut removed, mut packed, mut packed_bytes, mut freed) = (0, 0, 0_u64, 0_u64);
    for kept in find_runs(store)?.into_iter().filter(|kept| kept.stage == Stage::Over) {
        let run = ConfinedFolder::named(&kept.path)?;
        let before = size(&kept.path);
        // To compress a run, or to make its page again, does not make it younger.
        let age = kept.begun().and_then(|time| SystemTime::now().duration_since(time).ok());
        let is_old = older_than.zip(age).is_some_and(|(limit, age)| age > limit);
        if is_old && kept.is_without_violation && !kept.of_campaign {
            removed += 1;
            freed += before;
            if !dry_run {
                fs::remove_dir_all(run.path()).with_context(|| format!("cannot remove {}", kept.path.display()))?;
                move_latest_link(run.path())
                    .with_context(|| format!("cannot move the link to {}", kept.path.display()))?;
            }
            continue;
        }
        let large = uncompressed_files(&run);
        packed += large.len();
        if dry_run {
            packed_bytes += large.iter().map(|file| bytes_of(&run, file)).sum::<u64>();
            freed += bytes_of(&run, COLUMNS_FILE.as_ref());
        } else {
            // Made from the history, and larger than that once it is compressed.
            run.remove(COLUMNS_FILE).ok();
            large.iter().try_for_each(|file| compress(&run, file))?;
            freed += before.saturating_sub(size(&kept.path));
        }
    }
    let (removed, packed, freed) = (counted(removed, "run"), counted(packed, "file"), mib(freed));
    terminal::print(&if dry_run {
        // By how much files shrink is only known once they are compressed.
        let more = if packed_bytes > 0 { format!(", and part of {}", mib(packed_bytes)) } else { String::new() };
        format!("{removed} would be removed, {packed} compressed, {freed} freed{more}\n")
    } else {
        format!("{removed} removed, {packed} compressed, {freed} freed\n")
    })
}

/// Returns the size of a file of a run; 0 if there is none.
fn bytes_of(run: &ConfinedFolder, file: &Path) -> u64 {
    run.open(file).ok().flatten().and_then(|file| file.metadata().ok()).map_or(0, |found| found.len())
}

/// Returns the large files of a run that are not compressed yet: the history and the traces of the nodes.
fn uncompressed_files(run: &ConfinedFolder) -> Vec<PathBuf> {
    let nodes = run.folder("nodes").ok().flatten();
    let nodes = nodes.and_then(|nodes| nodes.entries().ok()).unwrap_or_default();
    let traces =
        nodes.iter().flat_map(|(node, _)| trace_files().map(move |file| Path::new("nodes").join(node).join(file)));
    iter::once(PathBuf::from("history.jsonl")).chain(traces).filter(|file| run.has(file)).collect()
}

/// Compresses a file into another one beside it, then removes it: the file is never there by half.
fn compress(run: &ConfinedFolder, file: &Path) -> anyhow::Result<()> {
    let shown = run.path().join(file);
    let Some(mut from) = run.open(file).map_err(refused(&shown))? else { return Ok(()) };
    write_inside(run, file.with_added_extension("zst"), |out| io::copy(&mut from, out).map(drop).map_err(Into::into))?;
    run.remove(file).with_context(|| format!("cannot remove {}", shown.display()))
}

/// Returns the bytes of all files below a path.
fn size(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    let each = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    each.sum()
}

fn mib(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
}
