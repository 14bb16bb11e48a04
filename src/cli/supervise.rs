//! `run --processes N`: starts N processes on this machine, watches them, and starts them again from the last checkpoint
//! when one is lost.
//!
//! - **All or none.** When one process ends in failure, the others end too, by themselves or by force, before new ones start.
//! - **Not for ever.** Only what takes checkpoints is started again, only for what another start may mend, further and
//!   further apart, and a limited number of times in a row; a panic that comes three times in a row at the same place in
//!   the input would come again.
//! - **No orphans.** A process whose supervisor is gone ends: it reads its standard input, which then ends.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::cluster::{ATTEMPT, SAVEPOINT, SECRET, STOP, words};
use super::{Console, Exit};
use crate::cluster::Secret;
use crate::{Clock, Duration, Error, Result, SystemClock};

/// How often the processes are looked at while they say nothing.
const LOOK: std::time::Duration = std::time::Duration::from_millis(20);

/// A start that has lasted so long was a good one: what fails after it is the first failure again.
const LASTING: Duration = Duration::from_micros(60_000_000);

/// How often in a row a job with checkpoints is started again if nothing is said.
const RESTARTS: u32 = 5;

/// What to start, and how often again.
pub(super) struct Supervisor {
    /// The call, the program's name first.
    pub(super) call: Vec<OsString>,
    pub(super) processes: usize,
    /// How often in a row it is started again; `None` where nobody has said.
    pub(super) restarts: Option<u32>,
    /// Whether the job takes checkpoints, so that it can be started again.
    pub(super) checkpointed: bool,
    /// How long the others have to end by themselves when one has.
    pub(super) patience: Duration,
    pub(super) quiet: bool,
}

/// How a start ended.
struct End {
    /// The first process that failed, and how; `None` when all is done.
    first: Option<(usize, ExitStatus)>,
    /// What that process, or if it said nothing another one, told at last.
    last_words: Option<String>,
    /// The user wants it to end.
    stopped: bool,
}

/// What is done about a start that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// Start again after this time.
    Again(Duration),
    /// No more; why, to be said behind what has happened.
    End(&'static str),
}

/// This many panics in a row that say the same, of the same place in the input, are a loop.
const SAME_MAX: u32 = 3;

/// What has failed since a start that lasted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct InARow {
    failures: u32,
    /// Those of them, counted from the newest, that are the same panic.
    same_panic: u32,
    /// What the newest panic said; nothing where the newest failure was none.
    panic: Option<String>,
}

impl InARow {
    /// Counts one more failure: what was said at last, where it was a panic.
    fn add(&mut self, panic: Option<String>) {
        self.failures += 1;
        self.same_panic = match (&panic, &self.panic) {
            (None, _) => 0,
            (new, old) if new == old => self.same_panic + 1,
            (Some(_), _) => 1,
        };
        self.panic = panic;
    }
}

/// What a process said, without the process of which it said it.
fn without_process(words: &str) -> &str {
    let of_another = words.strip_prefix("process ").and_then(|rest| rest.split_once(": "));
    match of_another.filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit())) {
        Some((_, rest)) => without_process(rest),
        None => words,
    }
}

/// Decides about the last of some failures in a row.
fn decide(checkpointed: bool, limit: u32, in_a_row: &InARow, may_be_mended: bool) -> Decision {
    match (checkpointed, may_be_mended) {
        (false, _) => Decision::End(""),
        (true, false) => Decision::End(", and another start would not mend it"),
        (true, true) if in_a_row.same_panic >= SAME_MAX => Decision::End(
            ", the same three times in a row; mend the closure, or leave out the record that it panics at, and start again, \
             which goes on from the last checkpoint",
        ),
        (true, true) if in_a_row.failures > limit => Decision::End(", and no other start has mended it"),
        (true, true) => Decision::Again(Duration::from_micros(250_000 << (in_a_row.failures - 1).min(6))),
    }
}

/// One of the processes.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    status: Option<ExitStatus>,
    last_error: Option<String>,
}

impl Supervisor {
    /// Runs the processes to the end of the job, or until they have failed too often.
    pub(super) fn run(&self, console: &mut Console<'_>) -> Result<Exit> {
        let clock = SystemClock::new();
        let limit = if self.checkpointed { self.restarts.unwrap_or(RESTARTS) } else { 0 };
        let mut in_a_row = InARow::default();
        for attempt in 1.. {
            let started = clock.elapsed();
            let end = self.start(attempt, &clock, console)?;
            let Some((process, status)) = end.first else { return Ok(Exit::Done) };
            let exit = meaning(status);
            if end.stopped {
                return Ok(match exit {
                    Exit::Stopped if console.interrupt.is_terminated() => Exit::Done,
                    exit => exit,
                });
            }
            if clock.elapsed() - started > LASTING {
                in_a_row = InARow::default();
            }
            let panicked = exit == Exit::Panicked;
            in_a_row
                .add(end.last_words.as_deref().filter(|_| panicked).map(|words| without_process(words).to_string()));
            let what = format!("process {process} {}", told(status));
            let said = end.last_words.map(|words| format!(": {words}")).unwrap_or_default();
            let pause = match decide(self.checkpointed, limit, &in_a_row, may_be_mended(status)) {
                Decision::Again(pause) => pause,
                Decision::End(why) => {
                    let _ = writeln!(console.err, "error: {what}{why}{said}");
                    return Ok(exit);
                }
            };
            let _ = writeln!(
                console.err,
                "{what}; all are started again from the last checkpoint in {pause} ({} of {limit})",
                in_a_row.failures
            );
            let since = clock.elapsed();
            while clock.elapsed() - since < pause {
                if console.interrupt.is_raised() {
                    return Ok(exit);
                }
                thread::sleep(LOOK);
            }
        }
        unreachable!("numbers do not end")
    }

    /// Starts all processes and waits until all have ended.
    fn start(&self, attempt: u64, clock: &dyn Clock, console: &mut Console<'_>) -> Result<End> {
        let (says, lines) = channel();
        let secret = Secret::generate()?;
        let hosts = free_addresses(self.processes)?;
        let mut processes = Vec::new();
        for process in 0..self.processes {
            match self.spawn(process, &hosts, &secret, attempt) {
                Ok(mut child) => {
                    let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
                    let says = says.clone();
                    let read =
                        move || stderr.lines().map_while(Result::ok).try_for_each(|line| says.send((process, line)));
                    let stdin = child.stdin.take();
                    processes.push(Process { child, stdin, status: None, last_error: None });
                    if let Err(cause) = thread::Builder::new().name("stderr".to_string()).spawn(read) {
                        kill(&mut processes);
                        return Err(Error::io(
                            format!("the thread that hears process {process} does not start"),
                            cause,
                        ));
                    }
                }
                Err(error) => {
                    kill(&mut processes);
                    return Err(error);
                }
            }
        }
        if !self.quiet {
            let ids: Vec<_> = processes.iter().map(|process| process.child.id().to_string()).collect();
            let _ = writeln!(console.err, "started {} processes: {}", ids.len(), ids.join(" "));
        }
        drop(says); // so that the lines end with the last process
        let end = self.watch(&mut processes, &lines, clock, console);
        if end.is_err() {
            kill(&mut processes);
        }
        end
    }

    fn spawn(&self, process: usize, hosts: &[String], secret: &str, attempt: u64) -> Result<Child> {
        let program = std::env::current_exe().map_err(|cause| Error::io("this program does not find itself", cause))?;
        let mut command = Command::new(program);
        command.args(words(&self.call, process, hosts)).env(SECRET, secret).env(ATTEMPT, attempt.to_string());
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C in a terminal goes to a whole group, and the supervisor alone decides what becomes of it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().map_err(|cause| Error::io(format!("process {process} cannot be started"), cause))
    }

    fn watch(
        &self,
        processes: &mut [Process],
        lines: &Receiver<(usize, String)>,
        clock: &dyn Clock,
        console: &mut Console<'_>,
    ) -> Result<End> {
        let (mut first, mut stopped) = (None, false);
        loop {
            // However much they say, they are looked at too.
            let said = lines.recv_timeout(LOOK).into_iter().chain(lines.try_iter().take(100));
            said.for_each(|(process, line)| pass_on(&mut processes[process], process, &line, console));
            if console.interrupt.is_raised() && !std::mem::replace(&mut stopped, true) {
                // Whichever is asked, all stop.
                if let Some(stdin) = &mut processes[0].stdin {
                    let _ = writeln!(stdin, "{STOP}");
                }
            }
            // The first decides on checkpoints.
            if console.interrupt.takes_savepoint()
                && let Some(stdin) = &mut processes[0].stdin
            {
                let _ = writeln!(stdin, "{SAVEPOINT}");
            }
            for (number, process) in processes.iter_mut().enumerate().filter(|(_, process)| process.status.is_none()) {
                let looked = process.child.try_wait();
                process.status =
                    looked.map_err(|cause| Error::io(format!("process {number} cannot be watched"), cause))?;
                if let Some(status) = process.status.filter(|status| !status.success()) {
                    first.get_or_insert((number, status, clock.elapsed()));
                }
            }
            if processes.iter().all(|process| process.status.is_some()) {
                break;
            }
            if first.is_some_and(|(_, _, since)| clock.elapsed() - since > self.patience) {
                kill(processes);
            }
        }
        // What they said at last may still be on its way; the lines end with the processes.
        lines.iter().for_each(|(process, line)| pass_on(&mut processes[process], process, &line, console));
        let first = first.map(|(process, status, _)| (process, status));
        let of_first = first.and_then(|(process, _)| processes[process].last_error.clone());
        let last_words = of_first.or_else(|| processes.iter().find_map(|process| process.last_error.clone()));
        Ok(End { first, last_words, stopped })
    }
}

/// Shows what a process says, and remembers what it ended with.
fn pass_on(process: &mut Process, number: usize, line: &str, console: &mut Console<'_>) {
    let _ = writeln!(console.err, "[{number}] {line}");
    if let Some(error) = line.strip_prefix("error: ") {
        process.last_error = Some(error.to_string());
    }
}

/// Ends what still runs.
fn kill(processes: &mut [Process]) {
    for process in processes.iter_mut().filter(|process| process.status.is_none()) {
        let _ = process.child.kill();
        process.status = process.child.wait().ok();
    }
}

/// As many addresses of this machine as there are processes, free at this moment.
fn free_addresses(processes: usize) -> Result<Vec<String>> {
    let bound: std::io::Result<Vec<_>> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
    // All are held until the last is found, or the same might be found twice.
    let addresses = bound.and_then(|bound| bound.iter().map(|one| Ok(one.local_addr()?.to_string())).collect());
    addresses.map_err(|cause| Error::io("there is no free port on this machine", cause))
}

/// How a process ended, in words.
fn told(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("has ended with exit code {code}"),
        None => format!("was lost ({status})"),
    }
}

/// What the supervisor exits with when a process has ended so.
fn meaning(status: ExitStatus) -> Exit {
    match status.code() {
        Some(code) if code == i32::from(Exit::Usage.code()) => Exit::Usage,
        Some(code) if code == i32::from(Exit::Panicked.code()) => Exit::Panicked,
        Some(code) if code == i32::from(Exit::Stopped.code()) => Exit::Stopped,
        _ => Exit::Failed,
    }
}

/// Whether another start may come to a better end.
fn may_be_mended(status: ExitStatus) -> bool {
    let mendable = [Exit::Panicked, Exit::Again].map(|exit| i32::from(exit.code()));
    status.code().is_none_or(|code| mendable.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Durations;

    #[test]
    fn what_another_start_may_mend_is_started_again_further_and_further_apart_and_not_for_ever() {
        let decide = |checkpointed, limit, failures, may_be_mended| {
            decide(checkpointed, limit, &InARow { failures, ..InARow::default() }, may_be_mended)
        };
        assert_eq!(decide(true, 2, 1, true), Decision::Again(250.millis()));
        assert_eq!(decide(true, 2, 2, true), Decision::Again(500.millis()));
        assert_eq!(decide(true, 2, 3, true), Decision::End(", and no other start has mended it"));
        assert_eq!(decide(true, 99, 50, true), Decision::Again(16.seconds()));
        assert_eq!(decide(true, 2, 1, false), Decision::End(", and another start would not mend it"));
        assert_eq!(decide(false, 2, 1, true), Decision::End(""), "there is nothing to go on from");
    }

    #[test]
    fn three_panics_in_a_row_that_say_the_same_are_a_loop_and_others_are_not() {
        let mut in_a_row = InARow::default();
        let mut after = |panic: Option<&str>| {
            in_a_row.add(panic.map(str::to_string));
            decide(true, 99, &in_a_row, true)
        };
        for panic in [Some("a"), Some("a"), None, Some("a"), Some("b"), Some("b")] {
            assert!(matches!(after(panic), Decision::Again(_)), "{panic:?}");
        }
        assert!(matches!(after(Some("b")), Decision::End(why) if why.contains("the same three times in a row")));
        assert!((0..5).all(|_| matches!(after(None), Decision::Again(_))), "lost processes are no panics");
        assert_eq!(without_process("process 1: process 12: map at 7: no"), "map at 7: no");
        assert_eq!(without_process("process 1 at home: map"), "process 1 at home: map");
    }

    #[cfg(unix)]
    #[test]
    fn a_kill_a_panic_and_what_is_said_to_be_so_may_be_mended() {
        use std::os::unix::process::ExitStatusExt;
        let exited = |code: i32| ExitStatus::from_raw(code << 8);
        let mended = [ExitStatus::from_raw(9), exited(70), exited(75)].map(may_be_mended);
        assert_eq!(mended, [true; 3]);
        assert_eq!([exited(1), exited(2), exited(130)].map(may_be_mended), [false; 3]);
        assert_eq!([exited(2), exited(70), exited(75)].map(meaning), [Exit::Usage, Exit::Panicked, Exit::Failed]);
    }
}
