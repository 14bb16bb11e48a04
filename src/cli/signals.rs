//! The signals of the operating system, and what each of them asks of a run.
//!
//! One thread hears every signal that asks for a stop, so that each is known by name from the first moment.

use std::io;

use super::{Exit, Interrupt};

/// Listens from here on.
#[cfg(unix)]
pub(super) fn listen(interrupt: &Interrupt) -> io::Result<()> {
    use std::sync::{Arc, atomic::AtomicBool};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
    use signal_hook::{flag::register, iterator::Signals};

    register(SIGUSR1, interrupt.savepoint_flag())?;
    // A file that grows too large is then an error of the write, not the end of the process.
    register(SIGXFSZ, Arc::<AtomicBool>::default())?;
    // Whoever started it under `nohup` wants it to outlive the terminal.
    let hangup = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))?;
    let interrupt = interrupt.clone();
    let obey = move || {
        for signal in signals.forever() {
            if signal == SIGTERM {
                interrupt.terminated();
            }
            raise(&interrupt);
        }
    };
    std::thread::Builder::new().name("signals".to_string()).spawn(obey).map(drop)
}

#[cfg(not(unix))]
pub(super) fn listen(interrupt: &Interrupt) -> io::Result<()> {
    let interrupt = interrupt.clone();
    // A host that has its own handler keeps it.
    let _ = ctrlc::set_handler(move || raise(&interrupt));
    Ok(())
}

/// The first request stops the run in order, the second ends the process.
fn raise(interrupt: &Interrupt) {
    if !interrupt.raise() {
        std::process::exit(Exit::INTERRUPTED.into());
    }
}

/// Whether this process was started with a signal ignored; if the system does not say, it was not.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
