//! `schism hunt --simulate`: which planted defects are found on virtual time, and how soon.

use std::{path::Path, sync::atomic::AtomicBool, time::Duration};

use clap::Parser;
use node::{Defect, DefectDescription};

use super::simulate::SimulateArgs;
use crate::{
    campaign::simulated_hunt::{SearchLimits, SimulatedCatch, SimulatedHunt, carry_out},
    check::processors,
    error::{ExitStatus, Failure},
    report::simulated_hunt::{self, HuntedRow},
    run::plan::Plan,
    store::{ConfinedFolder, SchemaVersion, make_folder, read_json, write_inside},
    terminal::{
        self, Progress, Table,
        words::{counted, seconds},
    },
};

/// Name of the file with the results.
const FILE: &str = "simulated.json";

/// Request for a hunt on virtual time.
#[derive(Debug)]
pub(super) struct SimulatedHuntRequest<'a> {
    pub(super) defects: Vec<Defect>,
    pub(super) limits: SearchLimits,
    pub(super) time_limit: Duration,
    /// Number of searches at a time; as many as there are processors if none.
    pub(super) at_once: Option<u16>,
    pub(super) store: &'a Path,
    pub(super) json: bool,
}

/// Command line of a simulated run, to read the options of a defect.
#[derive(Debug, Parser)]
struct SimulateCommand {
    #[command(flatten)]
    simulate: SimulateArgs,
}

/// Carries out a hunt, or what is left of it in its folder.
///
/// # Errors
/// Fails if its folder cannot be read or written, or is that of a hunt with other limits.
pub(super) fn execute(request: &SimulatedHuntRequest<'_>, stop: &AtomicBool) -> anyhow::Result<ExitStatus> {
    let SimulatedHuntRequest { defects, limits, store, .. } = request;
    make_folder(store)?;
    let folder = ConfinedFolder::named(store)?;
    let begun = read_json::<SimulatedHunt>(&folder, FILE)?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    if begun.as_ref().is_some_and(|begun| begun.limits != *limits || begun.version != version) {
        let what = format!("{}: a hunt with other limits, or of another schism", folder.path().join(FILE).display());
        return Err(Failure::new(ExitStatus::Usage, what).hint("choose another --store").into());
    }
    let mut hunt = begun.unwrap_or_else(|| SimulatedHunt {
        schema_version: SchemaVersion::default(),
        version,
        limits: *limits,
        searches: std::collections::BTreeMap::new(),
    });
    let pairs = defects.iter().map(|defect| Ok((request.plan(*defect, true)?, request.plan(*defect, false)?)));
    let pairs: Vec<(Plan, Plan)> = pairs.collect::<anyhow::Result<_>>()?;
    let plans = pairs.iter().flat_map(|(with, without)| [with.clone(), without.clone()]).collect();
    let progress = Progress::new("hunting on virtual time");
    let at_once = request.at_once.map_or_else(processors, usize::from);
    carry_out(&mut hunt, plans, at_once, stop, |hunt| {
        progress.update(format!("{} searches done", hunt.searches.len()));
        write_inside(&folder, FILE, |out| Ok(serde_json::to_writer_pretty(out, hunt)?)).map(drop)
    })?;
    drop(progress);
    let rows: Vec<HuntedRow<'_>> = defects
        .iter()
        .zip(&pairs)
        .filter_map(|(defect, (with, without))| {
            let (command, sound) = (with.command(), hunt.searches.get(&without.command())?);
            let catch = hunt.searches.get(&command)?;
            let DefectDescription { name, sign, .. } = defect.description();
            let survives = defect.load().survives_simulated;
            Some(HuntedRow { defect: name, sign: sign.name(), survives, command, catch, sound })
        })
        .collect();
    simulated_hunt::write(&rows, &folder)?;
    if request.json {
        terminal::print_json(&hunt)?
    } else {
        terminal::print(&describe(&rows, store))?
    };
    Ok(status(&rows, rows.len() < defects.len()))
}

impl SimulatedHuntRequest<'_> {
    /// Returns the plan of a search, for the node with a defect or the sound one under the same load.
    fn plan(&self, defect: Defect, is_planted: bool) -> anyhow::Result<Plan> {
        let options = defect.load().simulated_options();
        let words = words_of("simulate", is_planted.then_some(defect), &options);
        let parsed = SimulateCommand::try_parse_from(&words);
        let parsed = parsed.map_err(|error| Failure::new(ExitStatus::Internal, format!("{words:?}: {error}")))?;
        let plan = parsed.simulate.plan(0)?;
        let time_limit_ms = u64::try_from(self.time_limit.as_millis()).unwrap_or(u64::MAX);
        Ok(Plan { time_limit_ms, ..plan }.schedule())
    }
}

/// Returns the words of a command that carries out a load, with a defect or for the sound node.
pub(super) fn words_of<'a>(command: &'a str, defect: Option<Defect>, options: &'a str) -> Vec<&'a str> {
    let mut words = vec![command];
    words.extend(defect.into_iter().flat_map(|defect| ["--defect", defect.name()]));
    // A sound node gets the setting that one with a defect has, for the same load.
    if !options.contains("--snapshot-after") {
        words.extend(["--snapshot-after", "100"]);
    }
    words.extend(options.split(' '));
    words
}

fn status(rows: &[HuntedRow<'_>], is_interrupted: bool) -> ExitStatus {
    let of_sound = rows.iter().map(|row| match row.sound {
        SimulatedCatch { violations: 0, broken_rules: 0, unavailable: 0, .. } => ExitStatus::Linearizable,
        SimulatedCatch { violations: 0, broken_rules: 0, .. } => ExitStatus::Failed,
        _ => ExitStatus::NotLinearizable,
    });
    let interrupted = if is_interrupted { ExitStatus::Interrupted } else { ExitStatus::Linearizable };
    of_sound.fold(interrupted, ExitStatus::worst)
}

fn describe(rows: &[HuntedRow<'_>], store: &Path) -> String {
    let mut table = Table::new(["defect", "shows as", "found", "first found", "first sign", "sound node"]).ruled();
    for HuntedRow { defect, sign: shows_as, survives, catch, sound, .. } in rows {
        let first = catch.first.as_ref().map_or_else(
            || (*survives).to_owned(),
            |first| format!("seed {}\n{} of processor time", first.seed, seconds(first.after_ms * 1_000_000)),
        );
        let sign = match (catch.time_ms, catch.operations) {
            (Some(time_ms), Some(operations)) => {
                format!("{}\n{}", seconds(time_ms * 1_000_000), counted(operations, "operation"))
            }
            _ => "-".to_owned(),
        };
        let [found, sound] = [*catch, *sound].map(|catch| catch.words().join("\n"));
        table.add_row([defect, shows_as, found.as_str(), &first, &sign, &sound]);
    }
    let found = rows.iter().filter(|row| row.catch.first.is_some()).count();
    table.above(&format!(
        "Runs that found something, with the 95 % interval of that share; below, what they found. First sign: \
         medians of virtual\ntime and operations.\n{found} of {} found\nkept in {}; to look at: {}\n",
        counted(rows.len(), "defect"),
        store.join(FILE).display(),
        store.join(simulated_hunt::PAGE).display(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{of_seed, oracles::cases, simulate};

    /// Number of seeds that are tried with each defect.
    const SEEDS: u64 = 100;

    fn request(time_limit: Duration) -> SimulatedHuntRequest<'static> {
        let limits = SearchLimits { seeds: SEEDS, within_ms: 60_000 };
        SimulatedHuntRequest {
            defects: Vec::new(),
            limits,
            time_limit,
            at_once: None,
            store: Path::new("unused"),
            json: false,
        }
    }

    #[test]
    fn every_load_on_virtual_time_is_one_of_simulate() {
        for defect in Defect::ALL {
            let plan = request(Duration::from_secs(10)).plan(*defect, true);
            assert!(plan.is_ok(), "{defect}: {plan:?}");
        }
    }

    #[test]
    fn defects_of_members_and_of_rare_orders_are_found_and_the_sound_node_bears_the_same() {
        let request = request(Duration::from_secs(8));
        let missed = |defect: &Defect| {
            let plan = request.plan(*defect, true).unwrap();
            !(0..SEEDS).any(|seed| simulate(&of_seed(&plan, seed)).is_finding())
        };
        let defects = [
            Defect::ChangesBeforeOwnCommit,
            Defect::ChangesOverlap,
            Defect::ChangesWaitForCommit,
            Defect::LearnersCount,
            Defect::RemovedNodeReads,
            Defect::ReadsBeforeOwnCommit,
            Defect::LeaseSurvivesClockJump,
            Defect::AnyoneAnswersReadIndex,
            Defect::OldSnapshotInstalled,
            Defect::KeepsLogBehindSnapshot,
            Defect::SnapshotSaysNo,
        ];
        let defects = cases(&defects, 4);
        let missed: Vec<&Defect> = defects.iter().filter(|defect| missed(defect)).collect();
        assert!(missed.is_empty(), "{missed:?}");
        for defect in defects {
            let sound = simulate(&of_seed(&request.plan(*defect, false).unwrap(), 1));
            assert_eq!(sound.finding(), None, "under the load of {defect}");
        }
    }
}
