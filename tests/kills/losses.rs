//! A network that loses packets: whoever waits too long for them ends with an error that names a process, and the starts
//! that follow give the same output. Only where `DUALGAUGE_LOSS` says how many packets in a hundred are lost, in a network
//! namespace of the test's own, as root and with nftables:
//!
//! ```text
//! DUALGAUGE_LOSS=30 unshare -n sh -c 'ip link set lo up && cargo test --test kills lost_packets'
//! ```

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use dualgauge::prelude::*;

use crate::supervisor::{Call, Run, Way};
use crate::{FOUR, Golden, TWO, each_of, from_environment};

/// How often a job is started while packets are lost; then it is started once more without.
const STARTS: usize = 5;

/// Packets are lost as long as this lives.
struct Lossy;

impl Lossy {
    fn begin(percent: u64) -> Lossy {
        nft(&["add", "table", "inet", "losses"]);
        nft(&["add", "chain", "inet", "losses", "in", "{ type filter hook input priority 0; }"]);
        let percent = percent.to_string();
        nft(&[
            "add", "rule", "inet", "losses", "in", "numgen", "random", "mod", "100", "<", &percent, "counter", "drop",
        ]);
        Lossy
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        nft(&["delete", "table", "inet", "losses"]);
    }
}

fn nft(words: &[&str]) {
    let done = Command::new("nft").args(words).status().expect("nftables is installed");
    assert!(done.success(), "nft {words:?}: {done}");
}

pub fn of_packets(golden: &Golden) -> String {
    let percent = from_environment("DUALGAUGE_LOSS", 0);
    if percent == 0 {
        return "skipped; DUALGAUGE_LOSS says how many packets in a hundred are lost".to_string();
    }
    let (starts, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let count = from_environment("DUALGAUGE_CUTS", 16);
    let way = |number: u64| {
        let (from, team) = (["history", "live"][number as usize % 2], [TWO, FOUR][number as usize / 2 % 2]);
        Way { from, to: "log", team }
    };
    let run = |number| (number, Run::new(&golden.ground, &format!("loss-{number}"), way(number)));
    let survived = Mutex::new(Vec::new());
    let lossy = Lossy::begin(percent);
    each_of(4, (0..count).map(run), |_, (number, run)| {
        let patient =
            Call { deadline: 3.seconds(), bootstrap: 20.seconds(), ..Call::new(way(number).team, 0, "trace") };
        for _ in 0..STARTS {
            let ended = run.call(&patient).wait();
            starts.fetch_add(1, Ordering::Relaxed);
            for (status, error) in ended.statuses.iter().zip(&ended.errors) {
                assert!(status.success() || error.contains("process "), "{status}: {error}");
            }
            if ended.is_well() {
                break;
            }
            failed.fetch_add(1, Ordering::Relaxed);
        }
        survived.lock().unwrap().push((number, run));
    });
    drop(lossy);
    for (number, run) in survived.into_inner().unwrap() {
        run.finish(way(number).team);
        golden.check(&run, &format!("{:?} where {percent} % of all packets were lost", way(number)));
    }
    let (starts, failed) = (starts.into_inner(), failed.into_inner());
    format!(
        "{count} jobs, {percent} % of all packets lost: {starts} starts, of which {failed} ended since one was lost"
    )
}
