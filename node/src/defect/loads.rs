//! Loads that should show the defects, on real processes and on virtual time, and the reasons of those that none
//! shows.

use super::{description::Load, table::Defect};

/// Load of each defect, in the order of `Defect::ALL`.
pub(super) const LOADS: [(Defect, Load); Defect::ALL.len()] = [
    // Reads
    (Defect::ReadAsksNobody, Load::of("--faults partition:isolate-leader")),
    (Defect::LeaderConfirmsAlone, Load::of("--faults partition:isolate-leader")),
    (Defect::OneAnswerConfirms, Load::of("--nodes 5 --faults partition:halves")),
    (
        Defect::AnyAnswerConfirms,
        Load::of("--keys 1 --every 2s --for 1200ms --faults delay:1s,shape=deaf-leader")
            .simulated("--faults delay:500ms,shape=deaf-leader --keys 1")
            .survives_simulated("an answer must be under way while another leader is elected and commits"),
    ),
    (
        Defect::JoinsOpenRound,
        Load::of("--faults pause:leader,partition:isolate-leader")
            .simulated("--faults pause:leader,partition:isolate-leader --nodes 3 --latency 30ms"),
    ),
    (
        Defect::ReadsBeforeOwnCommit,
        Load::of("--faults kill:leader")
            .simulated("--faults kill:leader --every 800ms --for 400ms --loss 200 --latency 20ms --keys 1")
            .survives(
                "the new leader must lack the commit index of an acknowledged write, which the next entry or \
                heartbeat tells it, and be confirmed by nodes that lack its log",
            ),
    ),
    (Defect::FollowerReadsOwnCommit, Load::of("--faults partition:isolate-random")),
    (
        Defect::ReusesReadIndex,
        Load::of("--keys 1 --every 2s --for 1s --faults partition:isolate-random")
            .simulated("--faults partition:isolate-random"),
    ),
    (
        Defect::AnyContextAnswers,
        Load::of("--nodes 3 --keys 1 --every 1500ms --for 1s --faults delay:800ms,shape=deaf-follower")
            .simulated("--faults pause:leader,partition:isolate-random --nodes 3 --latency 30ms"),
    ),
    (
        Defect::AnyoneAnswersReadIndex,
        Load::of("--faults pause:leader,partition:isolate-leader")
            .simulated("--faults kill:leader --every 800ms --for 100ms --loss 200 --keys 1")
            .survives("a follower must lag behind an acknowledged write while the leader that told of it restarts"),
    ),
    (
        Defect::ContextsRepeat,
        Load::of("--faults kill:random,pause:leader")
            .survives("answers to a process that was killed go to a connection that is gone")
            .survives_simulated("it needs an answer from before the restart, under a number that is in use again"),
    ),
    (
        Defect::AppliesUncommitted,
        Load::of("--every 2s --for 1s --faults partition:isolate-leader")
            .simulated("--faults partition:isolate-leader"),
    ),
    // Leases
    (Defect::LongLease, Load::of("--read lease --faults partition:isolate-leader")),
    (
        Defect::LeaseFromReceipt,
        Load::of(
            "--concurrency 12 --read lease --nodes 3 --keys 1 --rate 100 --read-share 80 --overlap --every 1200ms \
                --for 2s --faults delay:200ms,shape=deaf-leader,partition:mute-leader",
        )
        .simulated(
            "--read lease --overlap --faults delay:200ms,shape=deaf-leader,partition:mute-leader --every 500ms \
                --for 900ms",
        )
        .survives_simulated("answers must be slow, and another leader elected before the lease ends"),
    ),
    (
        Defect::LeaseByOneAnswer,
        Load::of(
            "--read lease --keys 1 --rate 150 --read-share 80 --every 3s --for 1500ms --faults \
                partition:leader-in-minority",
        )
        .simulated("--read lease --nodes 5 --faults partition:halves"),
    ),
    (
        Defect::LeaseSurvivesClockJump,
        Load::of(
            "--read lease --keys 1 --rate 150 --read-share 80 --every 2s --for 1200ms --faults \
                partition:isolate-leader+clock:rate=1,jump=-5s",
        )
        .simulated("--read lease --faults clock:rate=1,jump=-5s+partition:isolate-leader"),
    ),
    (
        Defect::DisloyalVoters,
        Load::of("--read lease --faults partition,pause:random")
            .simulated("--read lease --faults partition:pair --nodes 3 --rate 20 --read-share 75 --keys 1")
            .survives("a candidate that does not hear the leader must have the whole log of the voters that do"),
    ),
    (
        Defect::RestartForgetsLoyalty,
        Load::of("--read lease --faults kill:minority,partition:isolate-leader")
            .simulated(
                "--read lease --nodes 3 --overlap --keys 1 --latency 4ms --faults \
                partition:pair,rolling-restart:down=100ms,every=1s",
            )
            .survives_anywhere("the candidate must have the voter's whole log, and the voter be back within the lease"),
    ),
    // Replication and commitment
    (Defect::CommitsAlone, Load::of("--faults partition:isolate-leader")),
    (
        Defect::CommitsByMinority,
        Load::of("--every 1s --for 600ms --faults partition:leader-in-minority,partition:isolate-leader")
            .simulated("--faults partition"),
    ),
    (
        Defect::CommitsEarlierTerms,
        Load::of("--faults kill:leader,pause:leader")
            .simulated("--latency 20ms --every 800ms --for 500ms --faults kill,partition,pause")
            .survives(
                "an entry so committed must be replaced by a leader that lacks it and has one of a later term (figure \
                8)",
            ),
    ),
    (
        Defect::SkipsTermCheck,
        Load::of("--overlap --every 700ms --for 700ms --faults partition:isolate-leader,kill:leader,pause:leader")
            .simulated("--faults partition:isolate-leader,pause:leader --latency 20ms --every 800ms --for 500ms"),
    ),
    (
        Defect::KeepsConflictingTail,
        Load::of("--every 1s --for 600ms --faults partition:isolate-leader,pause:leader")
            .simulated("--faults partition:isolate-leader,pause:leader"),
    ),
    (
        Defect::TruncatesToMessageEnd,
        Load::of("--overlap --every 1s --for 900ms --faults delay:80ms,jitter=40ms,shape=all-links,kill:leader")
            .simulated("--faults pause:leader,partition:isolate-leader"),
    ),
    (
        Defect::CommitsUnmatched,
        Load::of("--every 1s --for 600ms --faults partition:isolate-leader,pause:leader")
            .simulated("--faults partition:isolate-leader,pause:leader"),
    ),
    (
        Defect::PurgedIsConflict,
        Load::of("--snapshot-after 50 --faults pause,partition:isolate-random")
            .simulated(
                "--snapshot-after 50 --latency 20ms --every 800ms --for 500ms --faults kill,partition,pause \
                --reordered 200 --repeated 200",
            )
            .survives(
                "a heartbeat from before a snapshot must arrive after the entries behind it, and a connection keeps \
                their order",
            ),
    ),
    (
        Defect::BelievesLateConflicts,
        Load::of("--faults pause:random").survives_anywhere("it costs messages, and no answer"),
    ),
    (
        Defect::SentCountsAsMatched,
        Load::of("--every 1s --for 600ms --faults partition:isolate-leader,kill:leader")
            .simulated("--faults partition:isolate-leader,kill:leader"),
    ),
    (
        Defect::RefusalCountsAsMatched,
        Load::of("--every 1s --for 600ms --faults partition:isolate-random,kill:leader")
            .simulated("--faults partition:isolate-random,kill:leader"),
    ),
    // Elections
    (
        Defect::VotesTwice,
        Load::of("--every 1300ms --for 900ms --faults delay:40ms,shape=all-links+pause:leader")
            .simulated("--faults partition,pause:leader"),
    ),
    (
        Defect::VoteNotDurable,
        Load::of("--every 1s --for 500ms --faults kill:random,pause:leader")
            .simulated("--faults kill:random,pause:leader"),
    ),
    (
        Defect::OwnVoteNotDurable,
        Load::of("--every 1s --for 500ms --faults kill:random,kill:leader")
            .simulated("--faults kill:random,pause:leader"),
    ),
    (
        Defect::TermNotDurable,
        Load::of("--every 1s --for 500ms --faults kill:random,pause:leader")
            .simulated("--latency 20ms --every 800ms --for 500ms --faults kill,partition,pause"),
    ),
    (
        Defect::TermGoesBack,
        Load::of("--every 1s --for 600ms --faults pause:leader,partition").simulated("--faults pause:leader,partition"),
    ),
    (
        Defect::LeaderUpdateClearsVote,
        Load::of("--every 1s --for 600ms --faults kill:leader,pause:leader")
            .simulated("--latency 20ms --every 800ms --for 500ms --faults kill,partition,pause"),
    ),
    (
        Defect::StepDownClearsVote,
        Load::of("--elections check-quorum --every 2s --for 1s --faults partition:isolate-leader,pause:leader")
            .simulated(
                "--elections check-quorum --overlap --faults delay:200ms,jitter=200ms,shape=all-links,partition \
                --every 500ms --for 900ms",
            )
            .survives_simulated("a request for a vote must outlast the election and the leader's loss of its quorum"),
    ),
    (
        Defect::VotesForAnyLog,
        Load::of("--overlap --every 700ms --for 700ms --faults partition:isolate-random,kill:leader")
            .simulated("--latency 20ms --every 800ms --for 500ms --faults kill,partition,pause"),
    ),
    (
        Defect::ComparesLengthFirst,
        Load::of("--faults partition:isolate-leader,pause:leader")
            .simulated("--faults kill:leader --every 800ms --for 500ms --latency 60ms --rate 300")
            .survives(
                "a deposed leader must keep more than its successor has committed, and stand before it hears of that",
            )
            .survives_simulated(
                "a deposed leader must keep more than its successor has committed, and stand before it hears of that",
            ),
    ),
    (
        Defect::RepeatedVotesCount,
        Load::of("--nodes 5 --faults partition,pause:leader")
            .simulated(
                "--nodes 5 --latency 20ms --every 800ms --for 500ms --faults kill,partition,pause --repeated 300 \
                --reordered 300",
            )
            .survives("a connection brings each vote once"),
    ),
    (
        Defect::OldVotesCount,
        Load::of("--faults pause,partition")
            .simulated(
                "--overlap --faults delay:200ms,jitter=200ms,shape=all-links,kill:leader --every 500ms --for 900ms",
            )
            .survives_anywhere("votes must come a term late, to a candidate that the same voters have refused since"),
    ),
    (
        Defect::PreVotesCount,
        Load::of("--every 1300ms --for 900ms --faults delay:40ms,shape=all-links+pause:leader")
            .simulated("--faults partition,pause:leader"),
    ),
    (Defect::LeaderIgnoresLaterTerms, Load::of("--faults partition:isolate-leader")),
    (
        Defect::EqualTimers,
        Load::of("--faults kill:leader").survives_anywhere("elections take longer, and the cluster recovers in time"),
    ),
    (
        Defect::VoteRequestRestartsTimer,
        Load::of("--faults partition:isolate-leader")
            .survives_anywhere("elections take longer, and the cluster recovers in time"),
    ),
    (
        Defect::OldLeaderRestartsTimer,
        Load::of("--faults partition,pause:leader")
            .survives_anywhere("elections take longer, and the cluster recovers in time"),
    ),
    (
        Defect::NoPreVote,
        Load::of("--faults partition:one-way,pause:random")
            .survives_anywhere("elections take longer, and the cluster recovers in time"),
    ),
    (
        Defect::NoEntryOfOwnTerm,
        // A write, also one of a probe, makes good for the entry that is missing.
        Load::of("--no-probes --read-share 99 --rate 10 --every 2s --for 1s --faults kill:leader")
            .simulated("--read-share 100 --faults kill:leader"),
    ),
    (
        Defect::DesertedLeaderSilences,
        Load::of("--faults partition:one-way")
            .survives_anywhere("elections take longer, and the cluster recovers in time"),
    ),
    // Members
    (
        Defect::ChangesBeforeOwnCommit,
        Load::of("--nodes 4 --faults add,remove,partition,kill")
            .simulated("--nodes 4 --faults kill:leader,add,remove --every 800ms --for 400ms --latency 60ms")
            .survives("two leaders must begin changes within one election, each without the other's"),
    ),
    (
        Defect::ChangesOverlap,
        Load::of("--nodes 4 --faults add,remove,partition,kill")
            .simulated("--nodes 4 --faults add+remove --every 2s --for 500ms --latency 60ms")
            .survives("both changes must be under way on two sides of a partition, with majorities that do not meet"),
    ),
    (
        Defect::ChangesWaitForCommit,
        Load::of("--faults add,remove,partition,kill")
            .simulated("--faults add,remove,kill --every 800ms --for 400ms --latency 20ms")
            .survives(
                "nodes must elect by two configurations whose majorities do not meet, before either is committed",
            ),
    ),
    (
        Defect::RestartForgetsMembers,
        Load::of("--every 1s --for 500ms --faults replace,kill:all")
            .simulated("--faults replace,kill:all --every 1s --for 400ms")
            .survives_simulated("a node must restart and be voted for before it is told of the members"),
    ),
    (
        Defect::LearnersCount,
        Load::of("--faults add,partition:isolate-leader")
            .simulated("--faults partition:leader-in-minority+add --every 2s --for 1s")
            .survives(
                "a learner must be on the leader's side of a partition before it has caught up, and the others elect \
                a leader",
            ),
    ),
    (Defect::RemovedNodeReads, Load::of("--faults remove")),
    (
        Defect::TransferKeepsLease,
        Load::of(
            "--read lease --keys 1 --rate 150 --read-share 80 --every 1500ms --for 1s --faults \
                delay:150ms,shape=deaf-leader+transfer",
        )
        .simulated("--read lease --faults transfer+partition:isolate-leader --every 1s --for 500ms --keys 1")
        .survives_simulated("the old leader must miss the election that it asked for, within its lease"),
    ),
    // Durability
    (
        Defect::CountsUnsyncedTail,
        Load::of("--faults power-loss:all")
            .survives_anywhere("the loop syncs what a leader appends before it takes the answers of others"),
    ),
    (
        Defect::SendsBeforeDurable,
        Load::of("--faults power-loss:all")
            .simulated("--faults kill:all --every 800ms --for 400ms")
            .survives("a node must lose power between an answer and the write behind it, some microseconds apart"),
    ),
    (Defect::NoFsync, Load::of("--faults power-loss:all")),
    (Defect::WritesLate, Load::of("--every 1500ms --for 300ms --faults kill:all").simulated("--faults kill:all")),
    (
        Defect::CutsDamagedRecord,
        Load::of("--faults kill:all")
            .survives("a sound node does not start on a damaged disk either, so that no load tells them apart")
            .survives_simulated("no simulated disk is damaged"),
    ),
    (
        Defect::TornTailDropsLog,
        Load::of("--nodes 3 --rate 0 --every 1500ms --for 200ms --faults power-loss:all,mode=torn")
            .simulated("--faults kill:all")
            .survives("two of three nodes must lose power in the midst of a write"),
    ),
    (
        Defect::LosesLastRecord,
        Load::of("--rate 40 --every 1500ms --for 300ms --faults kill:all").simulated("--faults kill:all"),
    ),
    (
        Defect::RestartForgetsLog,
        Load::of("--every 1500ms --for 300ms --faults kill:all").simulated("--faults kill:all"),
    ),
    // Snapshots
    (
        Defect::OldSnapshotInstalled,
        Load::of("--snapshot-after 50 --faults pause,partition:isolate-random")
            .simulated("--faults pause,partition:isolate-random --snapshot-after 10 --repeated 300 --latency 20ms")
            .survives(
                "an older snapshot of the same leader must arrive after a newer one, and a connection keeps their \
                order",
            ),
    ),
    (
        Defect::KeepsLogBehindSnapshot,
        Load::of(
            "--concurrency 40 --snapshot-after 5 --rate 500 --every 1500ms --for 700ms --faults \
                partition:isolate-leader",
        )
        .simulated(
            "--faults partition:isolate-leader --snapshot-after 5 --concurrency 40 --rate 500 --every 1500ms \
                --for 600ms",
        ),
    ),
    (Defect::SendsNoSnapshot, Load::of("--snapshot-after 50 --faults partition:isolate-random,kill")),
    (
        Defect::SnapshotNamesWrongTerm,
        Load::of("--snapshot-after 2 --every 1s --for 600ms --faults kill:leader,partition:isolate-leader")
            .simulated("--snapshot-after 50 --faults kill:leader,partition:isolate-leader")
            .survives_simulated(
                "a snapshot must be made between an election and that term's first entry, and sent later",
            ),
    ),
    (
        Defect::MergesSnapshot,
        Load::of(
            "--workload lock --snapshot-after 20 --every 1500ms --for 800ms --faults \
                partition:isolate-random,pause:random",
        )
        .simulated("--workload lock --snapshot-after 50 --faults partition:isolate-random,pause:random"),
    ),
    (
        Defect::SwallowsRestoreError,
        Load::of("--snapshot-after 50 --faults partition:isolate-random")
            .survives("a node whose snapshot is damaged on its disk does not start, and none arrives damaged over TCP")
            .survives_simulated("no snapshot arrives damaged"),
    ),
    (Defect::SnapshotLacksLastWrite, Load::of("--snapshot-after 50 --faults kill:all")),
    (
        Defect::SessionsNotInSnapshot,
        Load::of("--retry --workload counter --every 1s --for 600ms --faults kill,partition")
            .simulated("--snapshot-after 50 --faults kill --retry"),
    ),
    (Defect::AppliesTwiceAfterSnapshot, Load::of("--workload counter --snapshot-after 50 --faults kill:all")),
    (Defect::SkipsEntryAfterSnapshot, Load::of("--snapshot-after 50 --faults kill:all")),
    // State machine
    (Defect::CasIgnoresFrom, Load::of("--faults none")),
    (Defect::DropsWrites, Load::of("--faults none")),
    (Defect::DeleteIgnoresOwner, Load::of("--workload lock --faults none")),
    (Defect::TokensRepeat, Load::of("--workload fenced-lock --faults none")),
    (Defect::DequeueKeepsElement, Load::of("--workload queue --faults none")),
    (Defect::IncrementsByChance, Load::of("--workload counter --faults none")),
    (Defect::HalfTransaction, Load::of("--workload bank --faults none")),
    (Defect::RefusedTransactionStays, Load::of("--workload bank --faults none")),
    (Defect::TransactionMissesOwnWrites, Load::of("--workload append --faults none")),
    // Sessions
    (
        Defect::IgnoresSequenceNumbers,
        Load::of("--retry --workload counter --every 1s --for 600ms --faults kill,partition")
            .simulated("--faults kill,partition --retry"),
    ),
    (
        Defect::ServesUnknownSessions,
        Load::of("--faults kill,partition")
            .simulated("--faults kill,partition --retry")
            .survives_anywhere("no session expires before 4096 others have begun"),
    ),
    // Answers to clients
    (
        Defect::ReadsBeforeApply,
        Load::of("--keys 1 --rate 2000 --faults none")
            .simulated("--faults pause:random,partition:isolate-random")
            .survives("a follower must get a read index before the commit index that the leader sends right behind it"),
    ),
    (Defect::LogReadSkipsLog, Load::of("--read log --faults partition:isolate-leader")),
    (
        Defect::AnswersByIndex,
        Load::of(
            "--request-timeout 2s --fault-timing fixed --every 1600ms --for 800ms --faults \
                partition:isolate-leader",
        )
        .simulated("--faults partition:isolate-leader,pause:leader --latency 20ms --every 800ms --for 500ms"),
    ),
    (Defect::DeadlineSaysNo, Load::of("--faults partition:isolate-leader,pause:random")),
    (Defect::LeaderChangeSaysNo, Load::of("--faults kill:leader,pause:leader")),
    (
        Defect::SnapshotSaysNo,
        Load::of(
            "--snapshot-after 5 --rate 300 --request-timeout 2s --every 1500ms --for 700ms --faults \
                partition:isolate-leader,pause:leader",
        )
        .simulated(
            "--faults partition:isolate-leader,pause:leader --snapshot-after 5 --every 1500ms --for 600ms --rate \
                300 --latency 20ms --request-timeout 2s",
        ),
    ),
    (Defect::ForwardsTwice, Load::of("--workload counter --faults none")),
    (Defect::LinkRepeatsFrames, Load::of("--workload counter --faults none")),
    (
        Defect::IdsFromZero,
        Load::of("--faults kill:random,pause:leader")
            .survives("answers to a process that was killed go to a connection that is gone")
            .survives_simulated("it needs an answer from before the restart, under a number that is in use again"),
    ),
];
