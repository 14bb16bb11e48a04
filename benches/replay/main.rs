//! How fast is a replay, and how close is live?
//!
//! `cargo bench --bench replay` asks eight questions, each against a limit measured in the same run, on alternating runs:
//!
//! 1. What does `hot_items` over 10 M bids cost beyond decoding the same columns? On paper: decode is most of it; a row
//!    costs 2 ns to become a struct and about 10 ns to find its accumulator. Limit: 2.0 times the bare decode.
//! 2. What does a second worker bring? Limit: 1.5 times as fast, on an idle machine.
//! 3. Does memory follow open windows or history? Limit: 300 MB, and at most 10 % more for five times the history.
//! 4. Does the log source keep up with a million events a second, and how soon after the watermark is a result out?
//!    Limit: p99 of 50 ms at 100,000 events a second.
//! 5. What does a string cost as a key? Limit: 2.5 times the integer.
//! 6. What do the seals of the frames between two processes cost? On paper a byte of a long frame is hashed twice at
//!    some gigabytes a second, and passes through a dozen hands besides. Limit: 5 % of the processor time of a run of
//!    two processes.
//! 7. What does a bad record cost? On paper: a second look at its line, and its reason if somebody reads it. Limit: 20
//!    times a good one.
//! 8. Do many row groups cost what reading them costs? On paper: a sort of their ranges. Limit: 1.5 times a plain read.
//!
//! Arguments pick questions: `cargo bench --bench replay -- decode memory live strings sealed bad groups`.

mod bad;
mod data;
mod decode;
mod graphs;
mod groups;
mod live;
mod memory;
mod sealed;
mod strings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [child, bids] = asked.as_slice()
        && child == memory::CHILD
    {
        return memory::run_child(bids.parse().expect("a number of bids"));
    }
    let wants = |question: &str| asked.is_empty() || asked.iter().any(|asked| asked == question);
    if wants("decode") {
        decode::run();
    }
    if wants("strings") {
        strings::run();
    }
    if wants("live") {
        live::run();
    }
    if wants("sealed") {
        sealed::run();
    }
    if wants("bad") {
        bad::run();
    }
    if wants("groups") {
        groups::run();
    }
    if wants("memory") {
        memory::run();
    }
}

/// The median, and the least and the greatest, of some times in seconds.
fn spread(mut seconds: Vec<f64>) -> (f64, f64, f64) {
    seconds.sort_by(f64::total_cmp);
    (seconds[seconds.len() / 2], seconds[0], seconds[seconds.len() - 1])
}
