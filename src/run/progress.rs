//! Progress of a run under way, read from its files while they grow.

use std::io::{self, Read as _, Seek as _, SeekFrom};

use histories::{Event, EventType, Value};
use serde::Serialize;

use super::{
    files::{HISTORY_FILE, TEST_FILE},
    plan::Plan,
    results::RESULTS_FILE,
    stored_runs::wrote_lately,
};
use crate::{
    store::{ConfinedFolder, REPORT_FILE, read_json},
    terminal::{sanitize, words::plain},
};

/// Maximum number of bytes of a history that are read at once, and of a line of it; longer ones are not counted.
const MAX_READ: u64 = 4 << 20;
/// Maximum number of bins; more are joined in pairs.
const MAX_BINS: usize = 240;
/// Duration of a bin at first.
const BIN_MS: u64 = 250;
/// Maximum number of faults told: the last ones.
const MAX_FAULTS: usize = 40;

/// State of a run, in the eyes of somebody who watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WatchedStage {
    /// No event was written yet.
    Starting,
    /// Events are written.
    UnderWay,
    /// Nothing was written for a minute: the run was killed, or a long history is being judged.
    Silent,
    /// The run was judged, and has no report yet.
    Judged,
    /// The report is there.
    Reported,
}

/// Progress of a run so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RunProgress {
    pub(crate) stage: WatchedStage,
    /// Time of the last event, ms.
    pub(crate) time_ms: u64,
    /// Time limit of the load, ms; none if the plan cannot be read.
    pub(crate) limit_ms: Option<u64>,
    /// Number of operations that were invoked, and of those that ended.
    pub(crate) invoked: u64,
    pub(crate) ok: u64,
    pub(crate) fail: u64,
    pub(crate) info: u64,
    /// Duration of a bin, ms, and the operations that ended in each: `ok`, `fail`, `info`.
    pub(crate) bin_ms: u64,
    pub(crate) bins: Vec<[u64; 3]>,
    pub(crate) faults: Vec<WatchedFault>,
}

/// Fault of a run under way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct WatchedFault {
    #[serde(skip)]
    id: i64,
    pub(crate) words: String,
    pub(crate) from_ms: u64,
    /// Time at which it was healed; none while it is in force.
    pub(crate) until_ms: Option<u64>,
}

/// Reader of a run's files; each reading goes on where the one before ended.
#[derive(Debug)]
pub(crate) struct ProgressReader {
    folder: ConfinedFolder,
    /// Number of bytes of the history that were read, and the last of them that are no whole line yet.
    read_bytes: u64,
    rest: Vec<u8>,
    progress: RunProgress,
}

impl ProgressReader {
    pub(crate) fn new(folder: ConfinedFolder) -> Self {
        let plan = read_json::<Plan>(&folder, TEST_FILE).ok().flatten();
        let progress = RunProgress {
            stage: WatchedStage::Starting,
            time_ms: 0,
            limit_ms: plan.map(|plan| plan.time_limit_ms),
            invoked: 0,
            ok: 0,
            fail: 0,
            info: 0,
            bin_ms: BIN_MS,
            bins: Vec::new(),
            faults: Vec::new(),
        };
        Self { folder, read_bytes: 0, rest: Vec::new(), progress }
    }

    /// Reads what was written since the last reading, up to a limit. A history that is compressed by now is not read.
    ///
    /// # Errors
    /// Fails if a file cannot be read.
    pub(crate) fn read(&mut self) -> io::Result<&RunProgress> {
        if let Some(mut history) = self.folder.open(HISTORY_FILE)? {
            history.seek(SeekFrom::Start(self.read_bytes))?;
            let read = history.take(MAX_READ).read_to_end(&mut self.rest)?;
            self.read_bytes += read as u64;
            self.take_lines();
        }
        self.progress.stage = self.stage();
        Ok(&self.progress)
    }

    fn stage(&self) -> WatchedStage {
        if self.folder.has(REPORT_FILE) {
            WatchedStage::Reported
        } else if self.folder.has(RESULTS_FILE) {
            WatchedStage::Judged
        } else if self.progress.invoked == 0 && (self.read_bytes == 0 || wrote_lately(&self.folder)) {
            WatchedStage::Starting
        } else if wrote_lately(&self.folder) {
            WatchedStage::UnderWay
        } else {
            WatchedStage::Silent
        }
    }

    /// Takes all whole lines.
    fn take_lines(&mut self) {
        let rest = std::mem::take(&mut self.rest);
        let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in rest[..whole].split(|byte| *byte == b'\n') {
            if let Ok(event) = serde_json::from_slice::<Event<'_>>(line) {
                self.progress.take(&event);
            }
        }
        self.rest = rest[whole..].to_vec();
        if self.rest.len() as u64 > MAX_READ {
            self.rest.clear();
        }
    }
}

impl RunProgress {
    fn take(&mut self, event: &Event<'_>) {
        let time_ms = event.time / 1_000_000;
        self.time_ms = self.time_ms.max(time_ms);
        if !event.process.is_client() {
            self.take_fault(event, time_ms);
            return;
        }
        let (count, place) = match event.kind {
            EventType::Invoke => {
                self.invoked += 1;
                return;
            }
            EventType::Ok => (&mut self.ok, 0),
            EventType::Fail => (&mut self.fail, 1),
            EventType::Info => (&mut self.info, 2),
        };
        *count += 1;
        while time_ms / self.bin_ms >= MAX_BINS as u64 {
            self.join_bins();
        }
        let bin = usize::try_from(time_ms / self.bin_ms).unwrap_or(MAX_BINS);
        if self.bins.len() <= bin {
            self.bins.resize(bin + 1, [0; 3]);
        }
        self.bins[bin][place] += 1;
    }

    /// Joins bins in pairs, each of which then lasts twice as long.
    fn join_bins(&mut self) {
        let sum = |pair: &[[u64; 3]]| [0, 1, 2].map(|place| pair.iter().map(|bin| bin[place]).sum());
        self.bins = self.bins.chunks(2).map(sum).collect();
        self.bin_ms = self.bin_ms.saturating_mul(2);
    }

    fn take_fault(&mut self, event: &Event<'_>, time_ms: u64) {
        let Some(Value::Map(fields)) = &event.value else { return };
        let (Some(Value::Int(id)), Some(_)) = (fields.named("id"), fields.named("outcome")) else { return };
        if event.f.starts_with("start-") {
            let words = fields.named("fault").map_or_else(String::new, plain);
            let words = sanitize::line(&words);
            self.faults.push(WatchedFault { id: *id, words, from_ms: time_ms, until_ms: None });
            self.faults.drain(..self.faults.len().saturating_sub(MAX_FAULTS));
        } else if let Some(fault) = self.faults.iter_mut().rev().find(|fault| fault.id == *id) {
            fault.until_ms = Some(time_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _, path::Path};

    use super::{BIN_MS, MAX_BINS, ProgressReader, WatchedStage};
    use crate::store::ConfinedFolder;

    fn line(time_ms: u64, kind: &str) -> String {
        format!("{{\"time\":{}, \"process\":1,\"type\":\"{kind}\",\"f\":\"read\",\"value\":1}}\n", time_ms * 1_000_000)
    }

    fn append(folder: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(folder.join("history.jsonl")).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_growing_history_is_read_once_line_by_line_and_ends_in_a_report() {
        let dir = tempfile::tempdir().unwrap();
        let mut reader = ProgressReader::new(ConfinedFolder::of(dir.path()).unwrap());
        assert_eq!(reader.read().unwrap().stage, WatchedStage::Starting);
        append(dir.path(), &line(1, "invoke"));
        let whole = line(300, "ok");
        let (half, other_half) = whole.split_at(20);
        append(dir.path(), half);
        let so_far = reader.read().unwrap();
        assert_eq!((so_far.stage, so_far.invoked, so_far.ok), (WatchedStage::UnderWay, 1, 0));
        append(dir.path(), other_half);
        append(dir.path(), &line(310, "info"));
        let fault = r#"{"time":400000000,"process":"nemesis","type":"info","f":"start-kill","#;
        append(
            dir.path(),
            &format!("{fault}\"value\":{{\"id\":1,\"outcome\":\"installed\",\"fault\":\"kill n1\"}}}}\n"),
        );
        let so_far = reader.read().unwrap();
        assert_eq!((so_far.invoked, so_far.ok, so_far.info, &so_far.bins[..]), (1, 1, 1, &[[0; 3], [1, 0, 1]][..]));
        assert_eq!((&*so_far.faults[0].words, so_far.faults[0].until_ms, so_far.time_ms), ("kill n1", None, 400));
        let healed = fault.replace("start-kill", "stop-kill").replace("400000000", "900000000");
        append(dir.path(), &format!("{healed}\"value\":{{\"id\":1,\"outcome\":\"healed\"}}}}\n"));
        assert_eq!(reader.read().unwrap().faults[0].until_ms, Some(900));
        fs::write(dir.path().join("results.json"), "{}").unwrap();
        assert_eq!(reader.read().unwrap().stage, WatchedStage::Judged);
        fs::write(dir.path().join("report.html"), "").unwrap();
        assert_eq!(reader.read().unwrap().stage, WatchedStage::Reported);
    }

    #[test]
    fn a_long_run_has_as_many_bins_as_a_short_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut reader = ProgressReader::new(ConfinedFolder::of(dir.path()).unwrap());
        let hour_ms = 3_600_000;
        append(dir.path(), &[1, 2, 700, hour_ms].map(|time_ms| line(time_ms, "ok")).concat());
        let so_far = reader.read().unwrap();
        assert!(so_far.bins.len() <= MAX_BINS && so_far.bin_ms > BIN_MS, "{so_far:?}");
        assert_eq!((so_far.bins[0], so_far.bins.iter().map(|bin| bin[0]).sum::<u64>()), ([3, 0, 0], 4));
    }
}
