//! `schism hunt`: which planted defects the tester finds, and how soon.

use std::{
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::{Args, Parser, ValueEnum};
use nemesis::{FaultKind, PartitionBy};
use node::{Defect, DefectDescription, Load};

use super::{
    defects::parse_defect,
    interrupts::stop_on_signal,
    run::RunArgs,
    simulated_hunt::{self, SimulatedHuntRequest, words_of},
};
use crate::{
    campaign::{
        self, CampaignOptions, MatrixProgress,
        folder::{Folder, Purpose, StoredPlan, read_plan},
        hunt::{Catch, Hunt, HuntedDefect},
        plan::{Seeds, WrittenPlan},
        simulated_hunt::SearchLimits,
    },
    check::{decided_at_the_end, number_at_once},
    error::{ExitStatus, Failure},
    run::plan::parse_time_limit,
    store::{ConfinedFolder, SchemaVersion, write_inside},
    terminal::{
        self, Table,
        words::{counted, seconds},
    },
};

/// Loads of a hunt that knows nothing of the defect, by the folder that each has, in the order in which they are tried
/// until one finds something: registers, whose reads rely on a lease or do not, and other objects. Faults come in quick
/// succession. The clock of a leader that relies on a lease must run at its true rate.
const BLIND: [(&str, &str); 6] = [
    ("blind", "--faults kill,pause,partition,clock"),
    ("blind-lease", "--read lease --faults kill,pause,partition,clock:rate=1,jump=-5s"),
    ("blind-counter", "--workload counter --faults kill,pause,partition,clock"),
    ("blind-lock", "--workload fenced-lock --faults kill,pause,partition,clock"),
    ("blind-queue", "--workload queue --faults kill,pause,partition,clock"),
    ("blind-append", "--workload append --faults kill,pause,partition,clock"),
];
/// Clients and times of faults of these loads.
const BLIND_PACE: &str = "--concurrency 8 --every 1s --for 600ms";
/// Fault that is added to them where the host can inject it.
const BLIND_DISK: FaultKind = FaultKind::PowerLoss;
/// True if the host can, which takes a while to find out.
static HAS_BLIND_DISK: LazyLock<bool> =
    LazyLock::new(|| nemesis::probe(PartitionBy::default()).supports_kind(BLIND_DISK).is_ok());
/// Number of runs of each kind, and the duration of each, unless others are asked for.
const SEEDS: u32 = 5;
const TIME_LIMIT: Duration = Duration::from_mins(1);
/// The same on virtual time.
const SIMULATED_SEEDS: u32 = 40;
const SIMULATED_TIME_LIMIT: Duration = Duration::from_secs(10);
/// Name of the file with the results.
const FILE: &str = "hunt.json";

/// Hunts for planted defects: runs the nodes with each of them, under the faults that should show it and under all
/// kinds of faults, and the sound node under the same, and counts the runs that find something.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  schism hunt --defects votes-twice,long-lease --seeds 3 --time-limit 20s
  schism hunt --simulate --within 10s         all defects on virtual time
  schism hunt --defects all                   all, the default; takes days

A hunt that was interrupted goes on where it ended when the same command is given again: a folder has a campaign for \
each defect, and hunt.json; of --simulate, simulated.json. Exit code 0 when all runs are over, whatever they found, \
unless the sound node failed.")]
pub(crate) struct HuntArgs {
    /// Defects to hunt for, separated by commas, or `all`.
    #[arg(long, value_delimiter = ',', value_name = "LIST", default_value = "all", value_parser = parse_choice)]
    defects: Vec<Choice>,
    /// Number of runs of each kind, each with another seed [default: 5; 40 on virtual time, and more until one finds
    /// something].
    #[arg(long, value_name = "N", value_parser = parse_count)]
    seeds: Option<u32>,
    /// Duration of each run's load [default: 60s; 10s on virtual time].
    #[arg(long, value_name = "TIME", value_parser = parse_time_limit)]
    time_limit: Option<Duration>,
    /// Hunt on virtual time, under the faults that should show the defect.
    #[arg(long)]
    simulate: bool,
    /// Processor time for each defect after which no other seed is tried, on virtual time.
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "simulate", value_parser = parse_time_limit)]
    within: Duration,
    /// Maximum number of runs at a time [default: as many as the machine can take, measured; one for each processor on
    /// virtual time].
    #[arg(short = 'j', long, alias = "threads", value_name = "N", value_parser = number_at_once())]
    at_once: Option<u16>,
    /// Parts to carry out, separated by commas: runs under the faults that should show the defect, runs under all
    /// kinds of faults, and runs of the sound node under both [default: all, in this order].
    #[arg(long, value_delimiter = ',', value_name = "LIST", conflicts_with = "simulate")]
    only: Option<Vec<Part>>,
    /// Folder of the hunt.
    #[arg(long, value_name = "DIR", default_value = "store/hunt")]
    store: PathBuf,
    /// Print hunt.json instead of the table.
    #[arg(long)]
    json: bool,
}

/// Choice of defects to hunt for.
#[derive(Clone, Copy, Debug)]
enum Choice {
    All,
    One(Defect),
}

fn parse_choice(name: &str) -> Result<Choice, String> {
    if name == "all" { Ok(Choice::All) } else { parse_defect(name).map(Choice::One) }
}

fn parse_count(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "expected a number of seeds, such as 5".to_owned())
}

/// Part of a hunt: a campaign for each defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Fitting,
    Blind,
    Sound,
}

impl Part {
    const ALL: [Self; 3] = [Self::Fitting, Self::Blind, Self::Sound];

    /// Returns the place of the part's results.
    fn of(self, hunted: &mut HuntedDefect) -> &mut Option<Catch> {
        match self {
            Self::Fitting => &mut hunted.fitting,
            Self::Blind => &mut hunted.blind,
            Self::Sound => &mut hunted.sound,
        }
    }
}

/// Command line of a run, to read the options of a defect.
#[derive(Debug, Parser)]
struct RunCommand {
    #[command(flatten)]
    run: RunArgs,
}

impl HuntArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        let stop = stop_on_signal("the same command")?;
        let chosen = self.chosen();
        if self.simulate {
            return simulated_hunt::execute(&self.simulated(chosen), &stop);
        }
        let mut hunt = Hunt {
            schema_version: SchemaVersion::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sound: None,
            defects: chosen.iter().map(|defect| hunted(*defect)).collect(),
        };
        if self.carries_out(Part::Sound) {
            hunt.sound = self.blind(None, &stop)?;
        }
        for part in Part::ALL.into_iter().filter(|part| self.carries_out(*part)) {
            for (defect, at) in chosen.iter().zip(0..) {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let found = self.hunt_for(*defect, part, &stop)?;
                *part.of(&mut hunt.defects[at]) = found;
                self.write(&hunt)?;
            }
        }
        self.write(&hunt)?;
        if self.json {
            terminal::print_json(&hunt)?
        } else {
            terminal::print(&describe(&hunt, &self.store))?
        };
        let of_sound = hunt.defects.iter().filter_map(|hunted| hunted.sound.as_ref()).chain(&hunt.sound);
        Ok(match of_sound.map(|catch| (catch.violations, catch.caught.count)).max() {
            _ if stop.load(Ordering::Relaxed) => ExitStatus::Interrupted,
            Some((1.., _)) => ExitStatus::NotLinearizable,
            Some((0, 1..)) => ExitStatus::Failed,
            Some((0, 0)) | None => ExitStatus::Linearizable,
        })
    }

    fn chosen(&self) -> Vec<Defect> {
        let one = |choice: &Choice| match choice {
            Choice::All => None,
            Choice::One(defect) => Some(*defect),
        };
        self.defects.iter().map(one).collect::<Option<_>>().unwrap_or_else(|| Defect::ALL.to_vec())
    }

    fn carries_out(&self, part: Part) -> bool {
        self.only.as_ref().is_none_or(|parts| parts.contains(&part))
    }

    fn simulated(&self, defects: Vec<Defect>) -> SimulatedHuntRequest<'_> {
        let within_ms = u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX);
        SimulatedHuntRequest {
            defects,
            limits: SearchLimits { seeds: self.seeds.unwrap_or(SIMULATED_SEEDS).into(), within_ms },
            time_limit: self.time_limit.unwrap_or(SIMULATED_TIME_LIMIT),
            at_once: self.at_once,
            store: &self.store,
            json: self.json,
        }
    }

    /// Carries out one campaign on a defect; none if the hunt was stopped before it was over.
    fn hunt_for(&self, defect: Defect, part: Part, stop: &AtomicBool) -> anyhow::Result<Option<Catch>> {
        let (name, options) = (defect.name(), &defect.load().options());
        match part {
            Part::Fitting => self.campaign(&format!("{name}/fitting"), Some(defect), options, stop),
            Part::Blind => self.blind(Some(defect), stop),
            Part::Sound => {
                // The same load is tried once, however many defects it should show.
                let load: String = options.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
                self.campaign(&format!("sound/{}", load.trim_matches('-')), None, options, stop)
            }
        }
    }

    /// Carries out the campaigns that know nothing of a defect, until one usually finds something, and returns what the
    /// one has found that found most; none if the hunt was stopped before they were over.
    fn blind(&self, defect: Option<Defect>, stop: &AtomicBool) -> anyhow::Result<Option<Catch>> {
        let disk = if *HAS_BLIND_DISK { format!(",{BLIND_DISK}") } else { String::new() };
        let mut best: Option<Catch> = None;
        for (folder, faults) in BLIND {
            let folder = format!("{}/{folder}", defect.map_or("sound", Defect::name));
            let found = self.campaign(&folder, defect, &format!("{BLIND_PACE} {faults}{disk}"), stop)?;
            let Some(found) = found else { return Ok(None) };
            let is_enough = defect.is_some() && found.is_usual();
            if best.as_ref().is_none_or(|best| found.caught.count > best.caught.count) {
                best = Some(found);
            }
            if is_enough {
                break;
            }
        }
        Ok(best)
    }

    /// Carries out what is left of one campaign; none if the hunt was stopped before it was over.
    fn campaign(
        &self,
        folder: &str,
        defect: Option<Defect>,
        options: &str,
        stop: &AtomicBool,
    ) -> anyhow::Result<Option<Catch>> {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let plan = self.plan(defect, options)?.complete();
        plan.check().map_err(|why| Failure::new(ExitStatus::Usage, why))?;
        let path = self.store.join(folder);
        let is_begun = read_plan(&path)?.is_some();
        let folder = Folder::open(&path, Purpose::Campaign, Some(StoredPlan::new(plan, None)), is_begun)?;
        terminal::note(&format!("{}: {options}", path.display()));
        let progress = MatrixProgress::new(&folder.asked.plan, &folder.runs());
        let options = CampaignOptions { at_once: self.at_once, until_failure: false, keeps_starved: true };
        let summary = campaign::carry_out(&folder, options, stop, &progress)?;
        Ok((summary.finished == summary.planned).then(|| Catch::of(&summary)))
    }

    /// Returns the plan of a campaign with the options of `schism run`.
    fn plan(&self, defect: Option<Defect>, options: &str) -> anyhow::Result<WrittenPlan> {
        let words = words_of("run", defect, options);
        let parsed = RunCommand::try_parse_from(&words);
        let run = parsed.map_err(|error| Failure::new(ExitStatus::Internal, format!("{words:?}: {error}")))?.run;
        let cell = run.as_cell()?;
        let mut workloads = cell.workloads.iter().flatten().filter_map(|name| workloads::workload(name));
        let stop_on_violation = !workloads.any(|workload| decided_at_the_end(workload).is_some());
        let (seeds, time_limit) = (Seeds::Count(self.seeds.unwrap_or(SEEDS)), self.time_limit.unwrap_or(TIME_LIMIT));
        Ok(WrittenPlan { seeds, time_limit, stop_on_violation, ..cell })
    }

    fn write(&self, hunt: &Hunt) -> anyhow::Result<()> {
        let folder = ConfinedFolder::named(&self.store)?;
        write_inside(&folder, FILE, |out| Ok(serde_json::to_writer_pretty(out, hunt)?)).map(drop)
    }
}

/// Returns the row of a defect that nothing is known of yet.
fn hunted(defect: Defect) -> HuntedDefect {
    let DefectDescription { name, sign, .. } = defect.description();
    let Load { survives, .. } = defect.load();
    HuntedDefect {
        name: (*name).to_owned(),
        sign: sign.name().to_owned(),
        options: defect.load().options(),
        survives: (*survives).to_owned(),
        fitting: None,
        blind: None,
        sound: None,
    }
}

fn describe(hunt: &Hunt, store: &Path) -> String {
    let header = ["defect", "shows as", "fitting faults", "first sign", "all faults", "first sign", "sound node"];
    let mut table = Table::new(header);
    let first = |catch: Option<&Catch>| match catch.and_then(|catch| catch.time_ms.zip(catch.operations)) {
        Some((time_ms, operations)) => {
            format!("{}\n{}", seconds(time_ms * 1_000_000), counted(operations, "operation"))
        }
        None => "-".to_owned(),
    };
    let words = |catch: Option<&Catch>| catch.map_or_else(|| "not run".to_owned(), |catch| catch.words().join("\n"));
    for HuntedDefect { name, sign, survives, fitting, blind, sound, .. } in &hunt.defects {
        let [fitting, blind, sound] = [fitting, blind, sound].map(Option::as_ref);
        let has_survived = fitting.is_some_and(|catch| catch.caught.count == 0) && !survives.is_empty();
        let first_fitting = if has_survived { survives.clone() } else { first(fitting) };
        table.add_row([name, sign, &words(fitting), &first_fitting, &words(blind), &first(blind), &words(sound)]);
    }
    let found = |of: fn(&HuntedDefect) -> Option<&Catch>| {
        let (run, found): (Vec<_>, Vec<_>) =
            hunt.defects.iter().filter_map(of).partition(|catch| catch.caught.count == 0);
        format!("{} of {}", found.len(), counted(run.len() + found.len(), "defect"))
    };
    let (fitting, blind) = (found(|hunted| hunted.fitting.as_ref()), found(|hunted| hunted.blind.as_ref()));
    let sound = hunt.sound.as_ref().map_or_else(|| "not run".to_owned(), |catch| catch.words().join(", "));
    table.above(&format!(
        "Runs that found something, with the 95 % interval of that share; below, what they found. First sign: \
         medians of the runs with a violation.\nFound: {fitting} by fitting faults, {blind} by all faults; the \
         sound node under all faults: {sound}\nkept in {store}\n",
        store = store.join(FILE).display(),
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use checker::Share;
    use clap::Parser;

    use super::*;

    #[test]
    fn all_is_a_name_for_all_defects() {
        #[derive(Parser)]
        struct Command {
            #[command(flatten)]
            hunt: HuntArgs,
        }
        let chosen = |arguments: &[&str]| {
            let all = ["hunt"].iter().chain(arguments);
            Command::parse_from(all).hunt.chosen()
        };
        assert_eq!(chosen(&["--defects", "votes-twice,no-fsync"]), [Defect::VotesTwice, Defect::NoFsync]);
        for all in [&[][..], &["--defects", "all"], &["--defects", "votes-twice,all"]] {
            assert_eq!(chosen(all), Defect::ALL, "{all:?}");
        }
    }

    #[test]
    fn a_survivor_stays_in_the_table_with_its_reason_and_one_that_was_found_needs_none() {
        let told = |found| {
            let hunt = Hunt {
                schema_version: SchemaVersion::default(),
                version: String::new(),
                sound: None,
                defects: vec![HuntedDefect {
                    survives: "it costs messages".to_owned(),
                    fitting: Some(Catch {
                        caught: Share::new(found, 5),
                        runs: 5,
                        violations: found,
                        audits: BTreeMap::new(),
                        unavailable: 0,
                        ended: 0,
                        failed: 0,
                        time_ms: None,
                        operations: None,
                    }),
                    ..hunted(Defect::BelievesLateConflicts)
                }],
            };
            describe(&hunt, Path::new("store"))
        };
        assert!(told(0).contains("0 of 5") && told(0).contains("costs"), "{}", told(0));
        assert!(!told(1).contains("costs"), "{}", told(1));
    }
}
