//! Table of the defects. The comment of each is its description, too.

use serde::{Deserialize, Serialize};

use super::description::{DefectDescription, Sign};

/// Defines the defects and their descriptions, in the same order. All runs that should show one have few clients: the
/// more operations overlap, the more orders there are in which a lost write can hide.
macro_rules! defects {
    ($($(#[doc = $about:literal])+ $defect:ident: $name:literal, $sign:ident, $options:literal $(+ $simulated:literal)?,
        $source:literal $(, survives: $why:literal)?;)+) => {
        /// Planted defect: one rule that the node breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Defect {
            $($(#[doc = $about])+ $defect,)+
        }

        impl Defect {
            /// All defects, grouped by the part of the node that they break.
            pub const ALL: &'static [Self] = &[$(Self::$defect),+];

            /// Returns the description of the defect.
            pub fn description(self) -> &'static DefectDescription {
                const DESCRIPTIONS: &[DefectDescription] = &[$(DefectDescription {
                    name: $name,
                    sign: Sign::$sign,
                    options: concat!("--concurrency 8 ", $options),
                    simulated: concat!($($simulated)?),
                    survives: concat!($($why)?),
                    source: $source,
                    comment: concat!($($about),+),
                }),+];
                &DESCRIPTIONS[self as usize]
            }
        }
    };
}

defects! {
    // Reads

    /// A leader answers quorum reads at once, without a round of heartbeats.
    ReadAsksNobody: "read-asks-nobody", StaleRead, "--faults partition:isolate-leader",
        "dissertation §6.4; etcd-io/etcd#741, RedisLabs/redisraft#19";

    /// A leader counts its own heartbeats as the answers of a quorum, and confirms its reads by itself.
    LeaderConfirmsAlone: "leader-confirms-alone", StaleRead, "--faults partition:isolate-leader",
        "dissertation §6.4, step 3";

    /// The answer of a single follower confirms a read, however many nodes there are.
    OneAnswerConfirms: "one-answer-confirms", StaleRead, "--nodes 5 --faults partition:halves",
        "dissertation §6.4; databendlabs/openraft d60f1e85";

    /// Any answer of a follower counts for the newest round of heartbeats, though it was sent before that began.
    AnyAnswerConfirms: "any-answer-confirms", StaleRead,
        "--faults pause:leader,partition:isolate-leader"
            + "--faults delay:500ms,shape=deaf-leader --keys 1",
        "dissertation §6.4; etcd-io/etcd#20418, databendlabs/openraft#1993",
        survives: "an answer must be under way while another leader is elected and commits";

    /// Reads that arrive while a round of heartbeats is out are confirmed by that round, which began before them.
    JoinsOpenRound: "joins-open-round", StaleRead,
        "--faults pause:leader,partition:isolate-leader" + "--nodes 3 --latency 30ms",
        "dissertation §6.4, step 3; databendlabs/openraft#1993";

    /// A new leader answers reads before it has committed an entry of its own term.
    ReadsBeforeOwnCommit: "reads-before-own-commit", StaleRead,
        "--faults kill:leader"
            + "--every 800ms --for 400ms --loss 200 --latency 20ms --keys 1",
        "dissertation §6.4, step 1; etcd-io/etcd#7331, RedisLabs/redisraft#22, hashicorp/consul#2644";

    /// A follower answers quorum reads at its own commit index, without asking the leader.
    FollowerReadsOwnCommit: "follower-reads-own-commit", StaleRead, "--faults partition:isolate-random",
        "dissertation §6.4, last paragraph";

    /// A follower uses the read index that the leader once gave it for all later reads under this leader.
    ReusesReadIndex: "reuses-read-index", StaleRead, "--faults partition:isolate-random",
        "dissertation §6.4, last paragraph";

    /// A follower takes any read index for the answer to its latest question, also one to an earlier question.
    AnyContextAnswers: "any-context-answers", StaleRead,
        "--faults pause:leader,partition:isolate-random" + "--nodes 3 --latency 30ms",
        "etcd-io/etcd#20418";

    /// A node that does not lead answers a follower's question for the read index with its own commit index.
    AnyoneAnswersReadIndex: "anyone-answers-read-index", StaleRead,
        "--faults pause:leader,partition:isolate-leader"
            + "--faults kill:leader --every 800ms --for 100ms --loss 200 --keys 1",
        "dissertation §6.4, step 2";

    /// After a restart, a follower asks for read indexes under the same numbers as before it.
    ContextsRepeat: "contexts-repeat", StaleRead, "--faults kill:random,pause:leader", "etcd-io/etcd#20418",
        survives: "it needs an answer from before the restart, under a number that is in use again";

    /// Nodes apply entries, and answer for them, as soon as these are in their logs.
    AppliesUncommitted: "applies-uncommitted", Phantom, "--faults partition:isolate-leader",
        "Raft §5.3; Maelstrom's guide, chapter Raft (commitment)";

    // Leases

    /// A leader trusts the answers of a quorum, and with them its lease, for four times as long as voters keep still.
    LongLease: "long-lease", StaleRead, "--read lease --faults partition:isolate-leader",
        "dissertation §6.4.1; hashicorp/raft#108, etcd-io/raft#166, sofastack/sofa-jraft#34";

    /// A lease counts from the receipt of the answers, and not from the start of the round that they answer.
    LeaseFromReceipt: "lease-from-receipt", StaleRead,
        "--read lease --faults pause:leader,partition:isolate-leader"
            + "--overlap --faults delay:200ms,shape=deaf-leader,partition:mute-leader --every 500ms --for 900ms",
        "dissertation §6.4.1; openraft's guide on leader leases, hashicorp/raft's checkLeaderLease",
        survives: "answers must be slow, and another leader elected before the lease ends";

    /// The answer of a single follower renews the lease, however many nodes there are.
    LeaseByOneAnswer: "lease-by-one-answer", StaleRead, "--read lease --nodes 5 --faults partition:halves",
        "dissertation §6.4.1; databendlabs/openraft d60f1e85";

    /// A leader whose clock was set back keeps its lease, which then lasts for as much longer.
    LeaseSurvivesClockJump: "lease-survives-clock-jump", StaleRead,
        "--read lease --faults clock:rate=1,jump=-5s,partition:isolate-leader"
            + "--faults clock:rate=1,jump=-5s+partition:isolate-leader",
        "dissertation §6.4.1; tikv/tikv#964";

    /// Voters vote for another candidate while they hear from a leader, which may hold a lease.
    DisloyalVoters: "disloyal-voters", StaleRead,
        "--read lease --faults partition,pause:random"
            + "--faults partition:pair --nodes 3 --rate 20 --read-share 75 --keys 1",
        "Raft §6, dissertation §4.2.3; etcd-io/raft#166";

    /// A voter that restarts forgets that it has heard from a leader, and votes for another at once.
    RestartForgetsLoyalty: "restart-forgets-loyalty", StaleRead,
        "--read lease --faults kill:minority,partition:isolate-leader"
            + "--nodes 3 --overlap --keys 1 --latency 4ms --faults partition:pair,rolling-restart:down=100ms,every=1s",
        "dissertation §6.4.1",
        survives: "the candidate must have the voter's whole log, and the voter be back within the lease";

    // Replication and commitment

    /// A leader commits, and answers, what it alone has.
    CommitsAlone: "commits-alone", LostWrite, "--faults partition:isolate-leader",
        "Raft §5.3; Maelstrom's guide, chapter Raft (commitment)";

    /// A leader commits what one member less than a majority has.
    CommitsByMinority: "commits-by-minority", LostWrite, "--faults partition",
        "Raft §5.3; databendlabs/openraft d60f1e85, beb0302b";

    /// A leader commits entries of earlier terms by counting their replicas.
    CommitsEarlierTerms: "commits-earlier-terms", LostWrite,
        "--faults kill:leader,pause:leader" + "--latency 20ms --every 800ms --for 500ms --faults kill,partition,pause",
        "Raft §5.4.2, figure 8; logcabin/logcabin#44, canonical/raft#220, async-raft/async-raft#108";

    /// A follower accepts entries after one of another term than the leader has there.
    SkipsTermCheck: "skips-term-check", Divergent,
        "--faults partition:isolate-leader,pause:leader" + "--latency 20ms --every 800ms --for 500ms",
        "Raft §5.3; Students' Guide to Raft";

    /// A follower keeps entries that conflict with the leader's, and says that its log matches.
    KeepsConflictingTail: "keeps-conflicting-tail", Divergent, "--faults partition:isolate-leader,pause:leader",
        "Raft §5.3; mofa-org/mofa#1151";

    /// A follower cuts its log off behind the last entry of each message, also of one that came late.
    TruncatesToMessageEnd: "truncates-to-message-end", LostWrite, "--faults pause:leader,partition:isolate-leader",
        "Raft figure 2, AppendEntries step 3; willemt/raft#37, databendlabs/openraft 9540c904";

    /// A follower commits up to the end of its log, of which the leader may know nothing.
    CommitsUnmatched: "commits-unmatched", Divergent, "--faults partition:isolate-leader,pause:leader",
        "Raft figure 2, AppendEntries step 5; scylladb/scylladb#9965, atomix/copycat#265";

    /// A follower takes entries that its snapshot has replaced for a conflict, and drops the log behind the snapshot.
    PurgedIsConflict: "purged-is-conflict", LostWrite,
        "--snapshot-after 50 --faults pause,partition:isolate-random"
            + "--latency 20ms --every 800ms --for 500ms --faults kill,partition,pause --reordered 200 --repeated 200",
        "Raft §7; databendlabs/openraft#511";

    /// A leader believes refusals that are older than what it knows of the follower, and sends everything again.
    BelievesLateConflicts: "believes-late-conflicts", Unavailable, "--faults pause:random",
        "Raft §5.3; databendlabs/openraft#1500",
        survives: "it costs messages, and no answer";

    /// A leader counts entries as stored by a follower once it has sent them.
    SentCountsAsMatched: "sent-counts-as-matched", LostWrite, "--faults partition:isolate-leader,kill:leader",
        "Raft figure 2, matchIndex; logcabin/logcabin#160";

    /// A leader counts a refusal as a match.
    RefusalCountsAsMatched: "refusal-counts-as-matched", LostWrite, "--faults partition:isolate-random,kill:leader",
        "Raft figure 2, matchIndex; andrewjstone/rafter#34";

    // Elections

    /// A voter votes for every candidate of a term that asks, and not only for the first.
    VotesTwice: "votes-twice", SplitBrain, "--faults partition,pause:leader",
        "Raft §5.2; robustmq/robustmq#2039";

    /// A voter's vote is not on its disk when it answers, and forgotten after a restart.
    VoteNotDurable: "vote-not-durable", SplitBrain, "--faults kill:random,pause:leader",
        "Raft figure 2, persistent state; robustmq/robustmq#2039, apache/iotdb#1125";

    /// A candidate's vote for itself is not on its disk, and forgotten after a restart.
    OwnVoteNotDurable: "own-vote-not-durable", SplitBrain, "--faults kill:random,pause:leader",
        "Raft figure 2, persistent state; vesoft-inc/nebula#3415";

    /// A term that a node learns from others is not on its disk, and forgotten after a restart.
    TermNotDurable: "term-not-durable", SplitBrain,
        "--faults kill:random,pause:leader" + "--latency 20ms --every 800ms --for 500ms --faults kill,partition,pause",
        "Raft figure 2, persistent state; camunda/camunda#14509, camunda/camunda#19290";

    /// A node that does not lead returns to the term of an old leader that sends it entries, and may vote there again.
    TermGoesBack: "term-goes-back", SplitBrain, "--faults pause:leader,partition",
        "Raft §5.1; vesoft-inc/nebula#2405, camunda/camunda#1068";

    /// A node forgets its vote when it learns who leads its term.
    LeaderUpdateClearsVote: "leader-update-clears-vote", SplitBrain,
        "--faults partition,pause:leader" + "--latency 20ms --every 800ms --for 500ms --faults kill,partition,pause",
        "Raft §5.2; camunda/camunda#5356";

    /// A leader that steps down without a later term forgets its vote.
    StepDownClearsVote: "step-down-clears-vote", SplitBrain,
        "--elections check-quorum --faults partition:isolate-leader,pause:leader"
            + "--overlap --faults delay:200ms,jitter=200ms,shape=all-links,partition --every 500ms --for 900ms",
        "Raft §5.2; microsoft/CCF#5891",
        survives: "a request for a vote must outlast the election and the leader's loss of its quorum";

    /// A voter votes for candidates whatever their logs are.
    VotesForAnyLog: "votes-for-any-log", LostWrite,
        "--faults partition:isolate-leader,kill:leader"
            + "--latency 20ms --every 800ms --for 500ms --faults kill,partition,pause", "Raft §5.4.1";

    /// A voter prefers the longer log to the one with the later last term.
    ComparesLengthFirst: "compares-length-first", LostWrite,
        "--faults partition:isolate-leader,pause:leader"
            + "--faults kill:leader --every 800ms --for 500ms --latency 60ms --rate 300",
        "Raft §5.4.1; databendlabs/openraft a48a3282",
        survives: "a deposed leader must keep more than its successor has committed, and stand before it hears of that";

    /// A candidate counts each answer as another vote, also a second one of the same voter.
    RepeatedVotesCount: "repeated-votes-count", SplitBrain,
        "--nodes 5 --faults partition,pause:leader"
            + "--latency 20ms --every 800ms --for 500ms --faults kill,partition,pause --repeated 300 --reordered 300",
        "Raft §5.2; xnnyygn/xraft#27";

    /// A candidate counts votes that were given to it in earlier terms.
    OldVotesCount: "old-votes-count", SplitBrain,
        "--faults pause,partition"
            + "--overlap --faults delay:200ms,jitter=200ms,shape=all-links,kill:leader --every 500ms --for 900ms",
        "Raft §5.2; andreev-io/little-raft#44",
        survives: "votes must come a term late, to a candidate that the same voters have refused since";

    /// A candidate counts the answers to its pre-vote as votes.
    PreVotesCount: "pre-votes-count", SplitBrain, "--faults partition,pause:leader",
        "dissertation §9.6; microsoft/CCF#8094";

    /// A leader takes no notice of messages of later terms, and leads on.
    LeaderIgnoresLaterTerms: "leader-ignores-later-terms", Unavailable, "--faults partition:isolate-leader",
        "Raft §5.1";

    /// All nodes wait for the same time before they stand for election.
    EqualTimers: "equal-timers", Unavailable, "--faults kill:leader", "Raft §5.2; Students' Guide to Raft",
        survives: "elections take longer, and the cluster recovers in time";

    /// Every request for a vote restarts the voter's timer, also one that is refused.
    VoteRequestRestartsTimer: "vote-request-restarts-timer", Unavailable, "--faults partition:isolate-leader",
        "Raft figure 2, followers; Students' Guide to Raft",
        survives: "elections take longer, and the cluster recovers in time";

    /// A message of a deposed leader restarts a node's timer.
    OldLeaderRestartsTimer: "old-leader-restarts-timer", Unavailable, "--faults partition,pause:leader",
        "Raft figure 2, followers; Students' Guide to Raft",
        survives: "elections take longer, and the cluster recovers in time";

    /// A node begins a new term without asking first whether it could win, and deposes working leaders.
    NoPreVote: "no-pre-vote", Unavailable, "--faults partition:one-way,pause:random",
        "dissertation §9.6; cockroachdb/cockroach#104042",
        survives: "elections take longer, and the cluster recovers in time";

    /// A new leader appends no entry of its own, and commits what it inherited only with a client's next write.
    NoEntryOfOwnTerm: "no-entry-of-own-term", Unavailable, "--read-share 100 --faults kill:leader", "Raft §8";

    /// Followers keep still for a leader that says that no quorum answers it.
    DesertedLeaderSilences: "deserted-leader-silences", Unavailable, "--faults partition:one-way",
        "dissertation §6.2; Cloudflare's outage of 2 November 2020",
        survives: "elections take longer, and the cluster recovers in time";

    // Members

    /// A leader changes the members before it has committed an entry of its term, and may not know the last change.
    ChangesBeforeOwnCommit: "changes-before-own-commit", LostWrite,
        "--nodes 4 --faults add,remove,partition,kill"
            + "--faults kill:leader,add,remove --every 800ms --for 400ms --latency 60ms",
        "dissertation §4.1; Ongaro, raft-dev, 10 July 2015";

    /// A leader begins a change of the members while another is not complete.
    ChangesOverlap: "changes-overlap", LostWrite,
        "--nodes 4 --faults add,remove,partition,kill"
            + "--faults add+remove --every 2s --for 500ms --latency 60ms",
        "dissertation §4.1";

    /// A configuration is in force on a node only once that knows it to be committed.
    ChangesWaitForCommit: "changes-wait-for-commit", SplitBrain,
        "--faults add,remove,partition,kill"
            + "--faults add,remove,kill --every 800ms --for 400ms --latency 20ms",
        "Raft §6, dissertation §4.1; canonical/raft#250";

    /// A node that restarts goes by the members with which the cluster began, until it is told of others.
    RestartForgetsMembers: "restart-forgets-members", SplitBrain,
        "--faults replace,kill,partition"
            + "--faults replace,kill:all --every 1s --for 400ms",
        "Raft §6; databendlabs/openraft 6c0ccaf3, databendlabs/openraft#1808",
        survives: "a node must restart and be voted for before it is told of the members";

    /// A leader counts what learners have stored for a majority of the voters.
    LearnersCount: "learners-count", LostWrite,
        "--faults add,partition:isolate-leader"
            + "--faults partition:leader-in-minority+add --every 2s --for 1s",
        "dissertation §4.2.1; databendlabs/openraft d882e743";

    /// A node that was removed answers quorum reads from the state that it has.
    RemovedNodeReads: "removed-node-reads", StaleRead, "--faults remove", "dissertation §4.2.2";

    /// A leader that asked another node to take over keeps its lease, though that one may be elected at any time.
    TransferKeepsLease: "transfer-keeps-lease", StaleRead,
        "--read lease --faults transfer,pause:random"
            + "--faults transfer+partition:isolate-leader --every 1s --for 500ms --keys 1",
        "dissertation §6.4.1, §3.10",
        survives: "the old leader must miss the election that it asked for, within its lease";

    // Durability

    /// A leader counts entries as its own that are not on its disk yet.
    CountsUnsyncedTail: "counts-unsynced-tail", LostWrite, "--faults power-loss:all",
        "dissertation §10.2.1; etcd-io/etcd#14370, camunda/camunda#4160",
        survives: "the loop syncs what a leader appends before it takes the answers of others";

    /// A follower says that it has entries before they are on its disk.
    SendsBeforeDurable: "sends-before-durable", LostWrite,
        "--faults power-loss:all" + "--faults kill:all --every 800ms --for 400ms",
        "Raft figure 2; cloud-software-foundation/c5#263, deventlab/d-engine#447";

    /// The log is written but never synced: what a loss of power leaves of it is a matter of luck.
    NoFsync: "no-fsync", LostWrite, "--faults power-loss:all", "Raft figure 2, persistent state; etcd-io/etcd#14140";

    /// Each record of the log is written only along with the next one.
    WritesLate: "writes-late", LostWrite, "--faults kill:all",
        "Raft figure 2, persistent state; robustmq/robustmq#2039";

    /// A node whose log is damaged cuts it off there, and starts.
    CutsDamagedRecord: "cuts-damaged-record", LostWrite, "--faults kill:all",
        "Alagappan et al., Protocol-Aware Recovery, FAST 2018; eBay/NuRaft#185",
        survives: "no simulated disk is damaged";

    /// A node whose last write was torn by a crash starts with an empty log.
    TornTailDropsLog: "torn-tail-drops-log", LostWrite, "--faults kill:all", "eBay/NuRaft#185";

    /// A node that restarts leaves the last record of its log out.
    LosesLastRecord: "loses-last-record", LostWrite, "--faults kill:all", "eBay/NuRaft#185";

    /// A node that restarts keeps its snapshot, term and vote, but not the log behind the snapshot.
    RestartForgetsLog: "restart-forgets-log", LostWrite, "--faults kill:all", "andrewjstone/rafter#34";

    // Snapshots

    /// A snapshot from the leader replaces the state though it is older.
    OldSnapshotInstalled: "old-snapshot-installed", LostWrite,
        "--snapshot-after 50 --faults pause,partition:isolate-random"
            + "--snapshot-after 10 --repeated 300 --latency 20ms",
        "Raft figure 13; etcd-io/etcd#1763";

    /// A snapshot leaves the entries behind it in the log although they conflict with it.
    KeepsLogBehindSnapshot: "keeps-log-behind-snapshot", Divergent,
        "--snapshot-after 50 --faults partition:isolate-leader"
            + "--snapshot-after 5 --concurrency 40 --rate 500 --every 1500ms --for 600ms",
        "Raft figure 13, step 7";

    /// A leader sends no snapshots: a follower that needs compacted entries never gets them.
    SendsNoSnapshot: "sends-no-snapshot", Unavailable, "--snapshot-after 50 --faults partition:isolate-random,kill",
        "Raft §7";

    /// A leader names its current term as that of the last entry in a snapshot, whatever that was.
    SnapshotNamesWrongTerm: "snapshot-names-wrong-term", Unavailable,
        "--snapshot-after 50 --faults kill:leader,partition:isolate-leader", "Raft §7, figure 13",
        survives: "a snapshot must be made between an election and that term's first entry, and sent later";

    /// A snapshot is merged into the state of a node, whose keys that are gone in the snapshot stay.
    MergesSnapshot: "merges-snapshot", Phantom,
        "--workload lock --snapshot-after 50 --faults partition:isolate-random,pause:random",
        "Raft figure 13, step 8; jgroups-extras/jgroups-raft#301";

    /// A node that cannot read a snapshot goes on with the state that it had.
    SwallowsRestoreError: "swallows-restore-error", Divergent,
        "--snapshot-after 50 --faults partition:isolate-random", "atomix/atomix#1038",
        survives: "no snapshot arrives damaged";

    /// A snapshot lacks the last write before it was taken.
    SnapshotLacksLastWrite: "snapshot-lacks-last-write", LostWrite, "--snapshot-after 50 --faults kill:all",
        "Raft §7; etcd-io/etcd#17780";

    /// A snapshot lacks the sessions of clients, whose commands are then refused on some nodes only.
    SessionsNotInSnapshot: "sessions-not-in-snapshot", Divergent, "--snapshot-after 50 --faults kill" + "--retry",
        "dissertation §6.3";

    /// A node applies the first entry after a snapshot twice.
    AppliesTwiceAfterSnapshot: "applies-twice-after-snapshot", DoubleApply,
        "--workload counter --snapshot-after 50 --faults kill:all", "Raft figure 2, lastApplied; etcd-io/etcd#14685";

    /// A node skips the first entry after a snapshot.
    SkipsEntryAfterSnapshot: "skips-entry-after-snapshot", LostWrite, "--snapshot-after 50 --faults kill:all",
        "Raft figure 2, lastApplied; etcd-io/etcd#13766";

    // State machine

    /// A compare-and-set writes whatever the value is, and says that it has swapped.
    CasIgnoresFrom: "cas-ignores-from", LostWrite, "--faults none", "Raft §8: linearizable semantics";

    /// Every fiftieth entry, if it is a write, is acknowledged and has no effect.
    DropsWrites: "drops-writes", LostWrite, "--faults none", "Jepsen's analyses: acknowledged writes that are lost";

    /// A removal of a key takes place whoever owns it: a lock can be released by another than its holder.
    DeleteIgnoresOwner: "delete-ignores-owner", SplitBrain, "--workload lock --faults none",
        "Redis documentation, distributed locks: release only what is yours";

    /// A key that is created anew has revision 1, so that the fencing tokens of locks repeat.
    TokensRepeat: "tokens-repeat", SplitBrain, "--workload fenced-lock --faults none",
        "Kleppmann, How to do distributed locking, 2016";

    /// A dequeue answers with the first element and leaves it in the queue.
    DequeueKeepsElement: "dequeue-keeps-element", DoubleApply, "--workload queue --faults none",
        "Jepsen's analyses: elements that are delivered twice";

    /// An increment adds one more by chance, on each node by its own.
    IncrementsByChance: "increments-by-chance", Divergent, "--workload counter --faults none",
        "Schneider, state machine approach, 1990: commands must be deterministic";

    /// A transaction stores only the first of its changes.
    HalfTransaction: "half-transaction", LostWrite, "--workload bank --faults none", "Gray and Reuter: atomicity";

    /// A transaction that is refused leaves the changes that it made before the refusal.
    RefusedTransactionStays: "refused-transaction-stays", Phantom, "--workload bank --faults none",
        "Gray and Reuter: atomicity; Adya: aborted reads (G1a)";

    /// The reads of a transaction do not see the changes that it made before.
    TransactionMissesOwnWrites: "transaction-misses-own-writes", StaleRead, "--workload append --faults none",
        "Elle: internal inconsistency";

    // Sessions

    /// A command takes effect each time it is sent, whatever its sequence number.
    IgnoresSequenceNumbers: "ignores-sequence-numbers", DoubleApply, "--faults kill,partition" + "--retry",
        "dissertation §6.3; etcd-io/etcd#14890, etcd-io/etcd#18424";

    /// A command of a session that is unknown, as it has expired, takes effect, once more if it did before.
    ServesUnknownSessions: "serves-unknown-sessions", DoubleApply, "--faults kill,partition" + "--retry",
        "dissertation §6.3",
        survives: "no session expires before 4096 others have begun";

    // Answers to clients

    /// A read waits for no entry to be applied: a follower answers from the state that it has.
    ReadsBeforeApply: "reads-before-apply", StaleRead, "--faults pause:random,partition:isolate-random",
        "dissertation §6.4, step 4; etcd-io/etcd#13464, tikv/tikv#4724";

    /// A leader answers reads through the log from its own state, without an entry.
    LogReadSkipsLog: "log-read-skips-log", StaleRead, "--read log --faults partition:isolate-leader",
        "Raft §8; etcd-io/etcd#741";

    /// A write is answered as done once any entry is applied at its index, also that of another leader.
    AnswersByIndex: "answers-by-index", LostWrite,
        "--faults partition:isolate-leader,pause:leader"
            + "--latency 20ms --every 800ms --for 500ms",
        "Students' Guide to Raft: applying client operations";

    /// A write that is not answered in time is answered with "it did not happen".
    DeadlineSaysNo: "deadline-says-no", Phantom, "--faults partition:isolate-leader,pause:random",
        "Jepsen: indeterminate operations; Adya: aborted reads (G1a)";

    /// A write that was forwarded to a leader is answered with "it did not happen" when the leader changes.
    LeaderChangeSaysNo: "leader-change-says-no", Phantom, "--faults kill:leader,pause:leader",
        "Jepsen's tests of etcd: a change of leaders is indefinite; Adya: aborted reads (G1a)";

    /// A write whose entry a snapshot has replaced is answered with "it did not happen".
    SnapshotSaysNo: "snapshot-says-no", Phantom,
        "--snapshot-after 50 --faults partition:isolate-leader,pause:leader"
            + "--snapshot-after 5 --every 1500ms --for 600ms --rate 300 --latency 20ms --request-timeout 2s",
        "Adya: aborted reads (G1a)";

    /// A node sends each request that it forwards to the leader twice.
    ForwardsTwice: "forwards-twice", DoubleApply, "--workload counter --faults none", "RedisLabs/redisraft#13";

    /// A link between nodes sends every frame twice.
    LinkRepeatsFrames: "link-repeats-frames", DoubleApply, "--workload counter --faults none",
        "Raft §5.1: RPCs may be repeated; requests that are forwarded may not";

    /// Requests that are forwarded have the same numbers after each restart, so that a late answer meets another one.
    IdsFromZero: "ids-from-zero", Phantom, "--faults kill:random,pause:leader", "etcd-io/etcd#20418",
        survives: "it needs an answer from before the restart, under a number that is in use again";
}
