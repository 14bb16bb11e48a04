//! Failpoints: the steps of commit and of recovery, before and after each of which a test can end or stop the process.
//!
//! They are compiled in with the feature `failpoints` alone. Then `DUALGAUGE_FAILPOINT` in the environment says what
//! happens, and every passage is a line on standard output, so that a supervisor can tell progress without a clock:
//!
//! ```text
//! trace                     nothing but the lines
//! before-append             end at the first passage, as kill -9 does: nothing is unwound, nothing is flushed
//! after-sync:3              end at the third passage
//! any:17                    end at the seventeenth passage of whichever point
//! after-append:2:stop       stop there (SIGSTOP), and go on when the process is continued
//! ```
//!
//! Without the feature, `around` is the call that it wraps.

/// A step of the commit protocol or of recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A source notes its offsets at the end of a checkpoint's epoch.
    Pick,
    /// A file of the store (a layer with what steps have changed, an entry of the log) is written aside.
    Write,
    /// That file is made durable.
    Sync,
    /// A layer gets its name.
    Rename,
    /// That name is made durable.
    SyncNames,
    /// A sink stages its output.
    Stage,
    /// A worker reports what it has stored.
    Report,
    /// An entry of the manifest log gets its number, if nobody has it: of a commit, the commit point.
    Append,
    /// The number is made durable.
    SyncLog,
    /// A sink publishes what it has staged.
    Publish,
    /// An old layer is deleted.
    Collect,
    /// Recovery: the fence of a new generation.
    Fence,
    /// Recovery: what a step kept is loaded.
    Load,
    /// Recovery: a sink takes up what was prepared.
    Recover,
}

impl Point {
    /// The steps of a commit, in their order.
    pub const COMMIT: [Point; 11] = [
        Point::Pick,
        Point::Write,
        Point::Sync,
        Point::Rename,
        Point::SyncNames,
        Point::Stage,
        Point::Report,
        Point::Append,
        Point::SyncLog,
        Point::Publish,
        Point::Collect,
    ];

    /// The steps of a recovery, in their order.
    pub const RECOVERY: [Point; 3] = [Point::Fence, Point::Load, Point::Recover];

    /// The name of the points: `before-` and `after-` this.
    pub fn name(self) -> &'static str {
        match self {
            Point::Pick => "pick",
            Point::Write => "write",
            Point::Sync => "sync",
            Point::Rename => "rename",
            Point::SyncNames => "sync-names",
            Point::Stage => "stage",
            Point::Report => "report",
            Point::Append => "append",
            Point::SyncLog => "sync-log",
            Point::Publish => "publish",
            Point::Collect => "collect",
            Point::Fence => "fence",
            Point::Load => "load",
            Point::Recover => "recover",
        }
    }
}

/// Does `work`, with the points of `step` before and after it.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn around<T>(_: Point, work: impl FnOnce() -> T) -> T {
    work()
}

/// Does `work`, with the points of `step` before and after it.
#[cfg(feature = "failpoints")]
pub(crate) fn around<T>(step: Point, work: impl FnOnce() -> T) -> T {
    armed::pass("before", step);
    let done = work();
    armed::pass("after", step);
    done
}

#[cfg(feature = "failpoints")]
mod armed {
    //! The plan that the environment holds, and what it does.

    use std::io::Write;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Point;

    static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| Some(Plan::of(&std::env::var("DUALGAUGE_FAILPOINT").ok()?)));

    /// What happens where.
    struct Plan {
        /// `before-append`; `any`; `trace` is the name of no point.
        point: String,
        passage: u64,
        stops: bool,
        passed: AtomicU64,
    }

    impl Plan {
        fn of(text: &str) -> Plan {
            let mut words = text.split(':');
            let point = words.next().unwrap_or_default().to_string();
            let passage = words.next().map_or(1, |count| count.parse().expect("DUALGAUGE_FAILPOINT: the passage"));
            let stops = words.next().is_some_and(|action| action == "stop");
            Plan { point, passage, stops, passed: AtomicU64::new(0) }
        }
    }

    pub(super) fn pass(when: &str, step: Point) {
        let Some(plan) = &*PLAN else { return };
        let point = format!("{when}-{}", step.name());
        let due = (plan.point == point || plan.point == "any")
            && plan.passed.fetch_add(1, Ordering::SeqCst) + 1 == plan.passage;
        // Nobody may be listening any more.
        let _ = writeln!(std::io::stdout(), "{} {point}", if due { "reached" } else { "passed" });
        if due && plan.stops {
            let stopped = std::process::Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status();
            assert!(stopped.is_ok_and(|status| status.success()), "a process can stop itself");
        } else if due {
            std::process::abort();
        }
    }
}
