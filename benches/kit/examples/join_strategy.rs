//! A join strategy of your own, measured beside those of the library: all of it is in this file.
//!
//! `cargo run --release --example join_strategy` compares it with a nested loop and measures it at small sizes, which
//! only shows that everything works; add `-- --out target/join_strategy` for figures, and `--help` for the other
//! options. The page with the plots is `target/join_strategy/index.html`.

use std::ffi::OsString;
use std::process::ExitCode;

use dualgauge_kit::{Contestant, Pairs, PaneJoin, Row, contestants, window_join_with};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Into how many parts a window's rows are dealt, by the high bits of their keys.
const PARTS: usize = 256;

/// Rows are dealt into parts by their keys as they come; when the window closes, each part is a small nested loop.
///
/// No hash table, and rows that can match lie together: good while a part stays in the cache and its product small.
struct Parted {
    left: Vec<Vec<Row>>,
    right: Vec<Vec<Row>>,
}

impl Default for Parted {
    fn default() -> Parted {
        Parted { left: vec![Vec::new(); PARTS], right: vec![Vec::new(); PARTS] }
    }
}

fn part(row: &Row) -> usize {
    (row.key >> (64 - PARTS.ilog2())) as usize
}

impl PaneJoin for Parted {
    fn left(&mut self, row: Row, _: &mut Pairs<'_>) {
        self.left[part(&row)].push(row);
    }

    fn right(&mut self, row: Row, _: &mut Pairs<'_>) {
        self.right[part(&row)].push(row);
    }

    fn close(self, pairs: &mut Pairs<'_>) {
        for (left, right) in self.left.iter().zip(&self.right) {
            for left in left {
                right.iter().filter(|right| right.key == left.key).for_each(|right| pairs.pair(left, right));
            }
        }
    }
}

fn main() -> ExitCode {
    let mut all = contestants();
    all.push(Contestant::strategy::<Parted>("parted", "rows are dealt into 256 parts, each a nested loop"));
    let mut options: Vec<OsString> = std::env::args_os().skip(1).collect();
    if options.is_empty() {
        let small = ["--quick", "--only", "rate", "--only", "patterns", "--out", "target/join_strategy"];
        options.extend(small.map(OsString::from));
    }
    window_join_with(options, &all)
}
