//! Table of the defects. The comment of each is its description, too.

use serde::{Deserialize, Serialize};

use super::description::{DefectDescription, Sign};

/// Defines the defects and their descriptions, in the same order.
macro_rules! defects {
    ($($(#[doc = $about:literal])+ $defect:ident: $name:literal, $sign:ident, $source:literal;)+) => {
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
    ReadAsksNobody: "read-asks-nobody", StaleRead, "dissertation §6.4; etcd-io/etcd#741, RedisLabs/redisraft#19";

    /// A leader counts its own heartbeats as the answers of a quorum, and confirms its reads by itself.
    LeaderConfirmsAlone: "leader-confirms-alone", StaleRead, "dissertation §6.4, step 3";

    /// The answer of a single follower confirms a read, however many nodes there are.
    OneAnswerConfirms: "one-answer-confirms", StaleRead, "dissertation §6.4; databendlabs/openraft d60f1e85";

    /// Any answer of a follower counts for the newest round of heartbeats, though it was sent before that began.
    AnyAnswerConfirms: "any-answer-confirms", StaleRead,
        "dissertation §6.4; etcd-io/etcd#20418, databendlabs/openraft#1993";

    /// Reads that arrive while a round of heartbeats is out are confirmed by that round, which began before them.
    JoinsOpenRound: "joins-open-round", StaleRead, "dissertation §6.4, step 3; databendlabs/openraft#1993";

    /// A new leader answers reads before it has committed an entry of its own term.
    ReadsBeforeOwnCommit: "reads-before-own-commit", StaleRead,
        "dissertation §6.4, step 1; etcd-io/etcd#7331, RedisLabs/redisraft#22, hashicorp/consul#2644";

    /// A follower answers quorum reads at its own commit index, without asking the leader.
    FollowerReadsOwnCommit: "follower-reads-own-commit", StaleRead, "dissertation §6.4, last paragraph";

    /// A follower uses the read index that the leader once gave it for all later reads under this leader.
    ReusesReadIndex: "reuses-read-index", StaleRead, "dissertation §6.4, last paragraph";

    /// A follower takes any read index for the answer to its latest question, also one to an earlier question.
    AnyContextAnswers: "any-context-answers", StaleRead, "etcd-io/etcd#20418";

    /// A node that does not lead answers a follower's question for the read index with its own commit index.
    AnyoneAnswersReadIndex: "anyone-answers-read-index", StaleRead, "dissertation §6.4, step 2";

    /// After a restart, a follower asks for read indexes under the same numbers as before it.
    ContextsRepeat: "contexts-repeat", StaleRead, "etcd-io/etcd#20418";

    /// Nodes apply entries, and answer for them, as soon as these are in their logs.
    AppliesUncommitted: "applies-uncommitted", Phantom, "Raft §5.3; Maelstrom's guide, chapter Raft (commitment)";

    // Leases

    /// A leader trusts the answers of a quorum, and with them its lease, for four times as long as voters keep still.
    LongLease: "long-lease", StaleRead,
        "dissertation §6.4.1; hashicorp/raft#108, etcd-io/raft#166, sofastack/sofa-jraft#34";

    /// A lease counts from the receipt of the answers, and not from the start of the round that they answer.
    LeaseFromReceipt: "lease-from-receipt", StaleRead,
        "dissertation §6.4.1; openraft's guide on leader leases, hashicorp/raft's checkLeaderLease";

    /// The answer of a single follower renews the lease, however many nodes there are.
    LeaseByOneAnswer: "lease-by-one-answer", StaleRead, "dissertation §6.4.1; databendlabs/openraft d60f1e85";

    /// A leader whose clock was set back keeps its lease, which then lasts for as much longer.
    LeaseSurvivesClockJump: "lease-survives-clock-jump", StaleRead, "dissertation §6.4.1; tikv/tikv#964";

    /// Voters vote for another candidate while they hear from a leader, which may hold a lease.
    DisloyalVoters: "disloyal-voters", StaleRead, "Raft §6, dissertation §4.2.3; etcd-io/raft#166";

    /// A voter that restarts forgets that it has heard from a leader, and votes for another at once.
    RestartForgetsLoyalty: "restart-forgets-loyalty", StaleRead, "dissertation §6.4.1";

    // Replication and commitment

    /// A leader commits, and answers, what it alone has.
    CommitsAlone: "commits-alone", LostWrite, "Raft §5.3; Maelstrom's guide, chapter Raft (commitment)";

    /// A leader commits what one member less than a majority has.
    CommitsByMinority: "commits-by-minority", LostWrite, "Raft §5.3; databendlabs/openraft d60f1e85, beb0302b";

    /// A leader commits entries of earlier terms by counting their replicas.
    CommitsEarlierTerms: "commits-earlier-terms", LostWrite,
        "Raft §5.4.2, figure 8; logcabin/logcabin#44, canonical/raft#220, async-raft/async-raft#108";

    /// A follower accepts entries after one of another term than the leader has there.
    SkipsTermCheck: "skips-term-check", Divergent, "Raft §5.3; Students' Guide to Raft";

    /// A follower keeps entries that conflict with the leader's, and says that its log matches.
    KeepsConflictingTail: "keeps-conflicting-tail", Divergent, "Raft §5.3; mofa-org/mofa#1151";

    /// A follower cuts its log off behind the last entry of each message, also of one that came late.
    TruncatesToMessageEnd: "truncates-to-message-end", LostWrite,
        "Raft figure 2, AppendEntries step 3; willemt/raft#37, databendlabs/openraft 9540c904";

    /// A follower commits up to the end of its log, of which the leader may know nothing.
    CommitsUnmatched: "commits-unmatched", Divergent,
        "Raft figure 2, AppendEntries step 5; scylladb/scylladb#9965, atomix/copycat#265";

    /// A follower takes entries that its snapshot has replaced for a conflict, and drops the log behind the snapshot.
    PurgedIsConflict: "purged-is-conflict", LostWrite, "Raft §7; databendlabs/openraft#511";

    /// A leader believes refusals that are older than what it knows of the follower, and sends everything again.
    BelievesLateConflicts: "believes-late-conflicts", Unavailable, "Raft §5.3; databendlabs/openraft#1500";

    /// A leader counts entries as stored by a follower once it has sent them.
    SentCountsAsMatched: "sent-counts-as-matched", LostWrite, "Raft figure 2, matchIndex; logcabin/logcabin#160";

    /// A leader counts a refusal as a match.
    RefusalCountsAsMatched: "refusal-counts-as-matched", LostWrite, "Raft figure 2, matchIndex; andrewjstone/rafter#34";

    // Elections

    /// A voter votes for every candidate of a term that asks, and not only for the first.
    VotesTwice: "votes-twice", SplitBrain, "Raft §5.2; robustmq/robustmq#2039";

    /// A voter's vote is not on its disk when it answers, and forgotten after a restart.
    VoteNotDurable: "vote-not-durable", SplitBrain,
        "Raft figure 2, persistent state; robustmq/robustmq#2039, apache/iotdb#1125";

    /// A candidate's vote for itself is not on its disk, and forgotten after a restart.
    OwnVoteNotDurable: "own-vote-not-durable", SplitBrain, "Raft figure 2, persistent state; vesoft-inc/nebula#3415";

    /// A term that a node learns from others is not on its disk, and forgotten after a restart.
    TermNotDurable: "term-not-durable", SplitBrain,
        "Raft figure 2, persistent state; camunda/camunda#14509, camunda/camunda#19290";

    /// A node that does not lead returns to the term of an old leader that sends it entries, and may vote there again.
    TermGoesBack: "term-goes-back", SplitBrain, "Raft §5.1; vesoft-inc/nebula#2405, camunda/camunda#1068";

    /// A node forgets its vote when it learns who leads its term.
    LeaderUpdateClearsVote: "leader-update-clears-vote", SplitBrain, "Raft §5.2; camunda/camunda#5356";

    /// A leader that steps down without a later term forgets its vote.
    StepDownClearsVote: "step-down-clears-vote", SplitBrain, "Raft §5.2; microsoft/CCF#5891";

    /// A voter votes for candidates whatever their logs are.
    VotesForAnyLog: "votes-for-any-log", LostWrite, "Raft §5.4.1";

    /// A voter prefers the longer log to the one with the later last term.
    ComparesLengthFirst: "compares-length-first", LostWrite, "Raft §5.4.1; databendlabs/openraft a48a3282";

    /// A candidate counts each answer as another vote, also a second one of the same voter.
    RepeatedVotesCount: "repeated-votes-count", SplitBrain, "Raft §5.2; xnnyygn/xraft#27";

    /// A candidate counts votes that were given to it in earlier terms.
    OldVotesCount: "old-votes-count", SplitBrain, "Raft §5.2; andreev-io/little-raft#44";

    /// A candidate counts the answers to its pre-vote as votes.
    PreVotesCount: "pre-votes-count", SplitBrain, "dissertation §9.6; microsoft/CCF#8094";

    /// A leader takes no notice of messages of later terms, and leads on.
    LeaderIgnoresLaterTerms: "leader-ignores-later-terms", Unavailable, "Raft §5.1";

    /// All nodes wait for the same time before they stand for election.
    EqualTimers: "equal-timers", Unavailable, "Raft §5.2; Students' Guide to Raft";

    /// Every request for a vote restarts the voter's timer, also one that is refused.
    VoteRequestRestartsTimer: "vote-request-restarts-timer", Unavailable,
        "Raft figure 2, followers; Students' Guide to Raft";

    /// A message of a deposed leader restarts a node's timer.
    OldLeaderRestartsTimer: "old-leader-restarts-timer", Unavailable,
        "Raft figure 2, followers; Students' Guide to Raft";

    /// A node begins a new term without asking first whether it could win, and deposes working leaders.
    NoPreVote: "no-pre-vote", Unavailable, "dissertation §9.6; cockroachdb/cockroach#104042";

    /// A new leader appends no entry of its own, and commits what it inherited only with a client's next write.
    NoEntryOfOwnTerm: "no-entry-of-own-term", Unavailable, "Raft §8";

    /// Followers keep still for a leader that says that no quorum answers it.
    DesertedLeaderSilences: "deserted-leader-silences", Unavailable,
        "dissertation §6.2; Cloudflare's outage of 2 November 2020";

    // Members

    /// A leader changes the members before it has committed an entry of its term, and may not know the last change.
    ChangesBeforeOwnCommit: "changes-before-own-commit", LostWrite, "dissertation §4.1; Ongaro, raft-dev, 10 July 2015";

    /// A leader begins a change of the members while another is not complete.
    ChangesOverlap: "changes-overlap", LostWrite, "dissertation §4.1";

    /// A configuration is in force on a node only once that knows it to be committed.
    ChangesWaitForCommit: "changes-wait-for-commit", SplitBrain, "Raft §6, dissertation §4.1; canonical/raft#250";

    /// A node that restarts goes by the members with which the cluster began, until it is told of others.
    RestartForgetsMembers: "restart-forgets-members", SplitBrain,
        "Raft §6; databendlabs/openraft 6c0ccaf3, databendlabs/openraft#1808";

    /// A leader counts what learners have stored for a majority of the voters.
    LearnersCount: "learners-count", LostWrite, "dissertation §4.2.1; databendlabs/openraft d882e743";

    /// A node that was removed answers quorum reads from the state that it has.
    RemovedNodeReads: "removed-node-reads", StaleRead, "dissertation §4.2.2";

    /// A leader that asked another node to take over keeps its lease, though that one may be elected at any time.
    TransferKeepsLease: "transfer-keeps-lease", StaleRead, "dissertation §6.4.1, §3.10";

    // Durability

    /// A leader counts entries as its own that are not on its disk yet.
    CountsUnsyncedTail: "counts-unsynced-tail", LostWrite,
        "dissertation §10.2.1; etcd-io/etcd#14370, camunda/camunda#4160";

    /// A follower says that it has entries before they are on its disk.
    SendsBeforeDurable: "sends-before-durable", LostWrite,
        "Raft figure 2; cloud-software-foundation/c5#263, deventlab/d-engine#447";

    /// The log is written but never synced: what a loss of power leaves of it is a matter of luck.
    NoFsync: "no-fsync", LostWrite, "Raft figure 2, persistent state; etcd-io/etcd#14140";

    /// Each record of the log is written only along with the next one.
    WritesLate: "writes-late", LostWrite, "Raft figure 2, persistent state; robustmq/robustmq#2039";

    /// A node whose log is damaged cuts it off there, and starts.
    CutsDamagedRecord: "cuts-damaged-record", LostWrite,
        "Alagappan et al., Protocol-Aware Recovery, FAST 2018; eBay/NuRaft#185";

    /// A node whose last write was torn by a crash starts with an empty log.
    TornTailDropsLog: "torn-tail-drops-log", LostWrite, "eBay/NuRaft#185";

    /// A node that restarts leaves the last record of its log out.
    LosesLastRecord: "loses-last-record", LostWrite, "eBay/NuRaft#185";

    /// A node that restarts keeps its snapshot, term and vote, but not the log behind the snapshot.
    RestartForgetsLog: "restart-forgets-log", LostWrite, "andrewjstone/rafter#34";

    // Snapshots

    /// A snapshot from the leader replaces the state though it is older.
    OldSnapshotInstalled: "old-snapshot-installed", LostWrite, "Raft figure 13; etcd-io/etcd#1763";

    /// A snapshot leaves the entries behind it in the log although they conflict with it.
    KeepsLogBehindSnapshot: "keeps-log-behind-snapshot", Divergent, "Raft figure 13, step 7";

    /// A leader sends no snapshots: a follower that needs compacted entries never gets them.
    SendsNoSnapshot: "sends-no-snapshot", Unavailable, "Raft §7";

    /// A leader names its current term as that of the last entry in a snapshot, whatever that was.
    SnapshotNamesWrongTerm: "snapshot-names-wrong-term", Unavailable, "Raft §7, figure 13";

    /// A snapshot is merged into the state of a node, whose keys that are gone in the snapshot stay.
    MergesSnapshot: "merges-snapshot", Phantom, "Raft figure 13, step 8; jgroups-extras/jgroups-raft#301";

    /// A node that cannot read a snapshot goes on with the state that it had.
    SwallowsRestoreError: "swallows-restore-error", Divergent, "atomix/atomix#1038";

    /// A snapshot lacks the last write before it was taken.
    SnapshotLacksLastWrite: "snapshot-lacks-last-write", LostWrite, "Raft §7; etcd-io/etcd#17780";

    /// A snapshot lacks the sessions of clients, whose commands are then refused on some nodes only.
    SessionsNotInSnapshot: "sessions-not-in-snapshot", Divergent, "dissertation §6.3";

    /// A node applies the first entry after a snapshot twice.
    AppliesTwiceAfterSnapshot: "applies-twice-after-snapshot", DoubleApply,
        "Raft figure 2, lastApplied; etcd-io/etcd#14685";

    /// A node skips the first entry after a snapshot.
    SkipsEntryAfterSnapshot: "skips-entry-after-snapshot", LostWrite, "Raft figure 2, lastApplied; etcd-io/etcd#13766";

    // State machine

    /// A compare-and-set writes whatever the value is, and says that it has swapped.
    CasIgnoresFrom: "cas-ignores-from", LostWrite, "Raft §8: linearizable semantics";

    /// Every fiftieth entry, if it is a write, is acknowledged and has no effect.
    DropsWrites: "drops-writes", LostWrite, "Jepsen's analyses: acknowledged writes that are lost";

    /// A removal of a key takes place whoever owns it: a lock can be released by another than its holder.
    DeleteIgnoresOwner: "delete-ignores-owner", SplitBrain,
        "Redis documentation, distributed locks: release only what is yours";

    /// A key that is created anew has revision 1, so that the fencing tokens of locks repeat.
    TokensRepeat: "tokens-repeat", SplitBrain, "Kleppmann, How to do distributed locking, 2016";

    /// A dequeue answers with the first element and leaves it in the queue.
    DequeueKeepsElement: "dequeue-keeps-element", DoubleApply, "Jepsen's analyses: elements that are delivered twice";

    /// An increment adds one more by chance, on each node by its own.
    IncrementsByChance: "increments-by-chance", Divergent,
        "Schneider, state machine approach, 1990: commands must be deterministic";

    /// A transaction stores only the first of its changes.
    HalfTransaction: "half-transaction", LostWrite, "Gray and Reuter: atomicity";

    /// A transaction that is refused leaves the changes that it made before the refusal.
    RefusedTransactionStays: "refused-transaction-stays", Phantom,
        "Gray and Reuter: atomicity; Adya: aborted reads (G1a)";

    /// The reads of a transaction do not see the changes that it made before.
    TransactionMissesOwnWrites: "transaction-misses-own-writes", StaleRead, "Elle: internal inconsistency";

    // Sessions

    /// A command takes effect each time it is sent, whatever its sequence number.
    IgnoresSequenceNumbers: "ignores-sequence-numbers", DoubleApply,
        "dissertation §6.3; etcd-io/etcd#14890, etcd-io/etcd#18424";

    /// A command of a session that is unknown, as it has expired, takes effect, once more if it did before.
    ServesUnknownSessions: "serves-unknown-sessions", DoubleApply, "dissertation §6.3";

    // Answers to clients

    /// A read waits for no entry to be applied: a follower answers from the state that it has.
    ReadsBeforeApply: "reads-before-apply", StaleRead, "dissertation §6.4, step 4; etcd-io/etcd#13464, tikv/tikv#4724";

    /// A leader answers reads through the log from its own state, without an entry.
    LogReadSkipsLog: "log-read-skips-log", StaleRead, "Raft §8; etcd-io/etcd#741";

    /// A write is answered as done once any entry is applied at its index, also that of another leader.
    AnswersByIndex: "answers-by-index", LostWrite, "Students' Guide to Raft: applying client operations";

    /// A write that is not answered in time is answered with "it did not happen".
    DeadlineSaysNo: "deadline-says-no", Phantom, "Jepsen: indeterminate operations; Adya: aborted reads (G1a)";

    /// A write that was forwarded to a leader is answered with "it did not happen" when the leader changes.
    LeaderChangeSaysNo: "leader-change-says-no", Phantom,
        "Jepsen's tests of etcd: a change of leaders is indefinite; Adya: aborted reads (G1a)";

    /// A write whose entry a snapshot has replaced is answered with "it did not happen".
    SnapshotSaysNo: "snapshot-says-no", Phantom, "Adya: aborted reads (G1a)";

    /// A node sends each request that it forwards to the leader twice.
    ForwardsTwice: "forwards-twice", DoubleApply, "RedisLabs/redisraft#13";

    /// A link between nodes sends every frame twice.
    LinkRepeatsFrames: "link-repeats-frames", DoubleApply,
        "Raft §5.1: RPCs may be repeated; requests that are forwarded may not";

    /// Requests that are forwarded have the same numbers after each restart, so that a late answer meets another one.
    IdsFromZero: "ids-from-zero", Phantom, "etcd-io/etcd#20418";
}
