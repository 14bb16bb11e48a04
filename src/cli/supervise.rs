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
use super::progress::{Level, of_process};
use super::{Console, Exit};
use crate::checkpoint::{look_at, open_existing_store};
use crate::cluster::Secret;
use crate::job::{Decision, InARow};
use crate::{Clock, Duration, Error, Restart, Result, SystemClock};

/// How often the processes are looked at while they say nothing.
const LOOK: std::time::Duration = std::time::Duration::from_millis(20);

/// How often in a row a job with checkpoints is started again if nothing is said.
const RESTARTS: u32 = 5;

/// What to start, and how often again.
pub(super) struct Supervisor {
    /// The call, the program's name first.
    pub(super) call: Vec<OsString>,
    pub(super) processes: usize,
    /// How often in a row it is started again; `None` where nobody has said.
    pub(super) restarts: Option<u32>,
    /// Where the job takes checkpoints, if it does, so that it can be started again.
    pub(super) checkpoints: Option<String>,
    /// How long the others have to end by themselves when one has.
    pub(super) patience: Duration,
    pub(super) level: Level,
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

/// What a process said, without the process of which it said it.
fn without_process(words: &str) -> &str {
    let of_another = words.strip_prefix("process ").and_then(|rest| rest.split_once(": "));
    match of_another.filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit())) {
        Some((_, rest)) => without_process(rest),
        None => words,
    }
}

/// Why nothing is started again, to be said behind what has happened.
fn why_not(decision: Decision) -> &'static str {
    match decision {
        Decision::Loop => {
            ", the same three times in a row; mend the closure, or leave out the record that it panics at, and start again, \
             which goes on from the last checkpoint"
        }
        Decision::Final => ", and another start would not mend it",
        Decision::Again(_) | Decision::Enough => ", and no other start has mended it",
    }
}

/// The newest checkpoint of a place, by its number in the log; none where there is none, or it does not answer.
fn newest(place: &str) -> Option<u64> {
    let store = open_existing_store(place).ok()?;
    look_at(&*store, None, |number, _| Ok(number)).ok()
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
        let policy = Restart::times(self.restarts.unwrap_or(RESTARTS));
        let newest = || self.checkpoints.as_deref().and_then(newest);
        let (mut in_a_row, mut panic, mut before) = (InARow::default(), None, newest());
        for attempt in 1.. {
            let end = self.start(attempt, &clock, console)?;
            let Some((process, status)) = end.first else { return Ok(Exit::Done) };
            let exit = meaning(status);
            if end.stopped {
                return Ok(match exit {
                    Exit::Stopped if console.interrupt.is_terminated() => Exit::Done,
                    exit => exit,
                });
            }
            // A store that does not answer tells of no progress.
            if let Some(now) = newest()
                && before.replace(now) != Some(now)
            {
                (in_a_row, panic) = (InARow::default(), None);
            }
            let panicked = exit == Exit::Panicked;
            let said = end.last_words.as_deref().filter(|_| panicked).map(|words| without_process(words).to_string());
            in_a_row.add(said.is_some() && said == panic);
            panic = said;
            let what = format!("process {process} {}", told(status));
            let said = end.last_words.map(|words| format!(": {words}")).unwrap_or_default();
            let decision = policy.decide(in_a_row, may_be_mended(status));
            let (Decision::Again(pause), Some(_)) = (decision, &self.checkpoints) else {
                let why = if self.checkpoints.is_some() { why_not(decision) } else { "" };
                let _ = writeln!(console.err, "error: {what}{why}{said}");
                return Ok(exit);
            };
            let _ = writeln!(
                console.err,
                "{what}; all are started again from the last checkpoint in {pause} ({} of {})",
                in_a_row.failures(),
                policy.limit
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
        let ids: Vec<_> = processes.iter().map(|process| process.child.id().to_string()).collect();
        self.level.say(&format!("started {} processes: {}", ids.len(), ids.join(" ")), console.err);
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
            said.for_each(|(process, line)| self.pass_on(&mut processes[process], process, &line, console));
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
        lines.iter().for_each(|(process, line)| self.pass_on(&mut processes[process], process, &line, console));
        let first = first.map(|(process, status, _)| (process, status));
        let of_first = first.and_then(|(process, _)| processes[process].last_error.clone());
        let last_words = of_first.or_else(|| processes.iter().find_map(|process| process.last_error.clone()));
        Ok(End { first, last_words, stopped })
    }

    /// Shows what a process says, and remembers what it ended with.
    fn pass_on(&self, process: &mut Process, number: usize, line: &str, console: &mut Console<'_>) {
        let _ = match self.level {
            Level::Json => writeln!(console.err, "{}", of_process(number, line)),
            _ => writeln!(console.err, "[{number}] {line}"),
        };
        if let Some(error) = line.strip_prefix("error: ") {
            process.last_error = Some(error.to_string());
        }
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

    #[test]
    fn a_panic_says_the_same_whichever_process_tells_it() {
        assert_eq!(without_process("process 1: process 12: map at 7: no"), "map at 7: no");
        assert_eq!(without_process("process 1 at home: map"), "process 1 at home: map");
    }

    #[test]
    fn why_nothing_is_started_again_is_said() {
        let policy = Restart::times(2);
        let mut in_a_row = InARow::default();
        in_a_row.add(false);
        assert_eq!(why_not(policy.decide(in_a_row, false)), ", and another start would not mend it");
        (0..2).for_each(|_| in_a_row.add(false));
        assert_eq!(why_not(policy.decide(in_a_row, true)), ", and no other start has mended it");
        (0..2).for_each(|_| in_a_row.add(true));
        assert!(why_not(policy.decide(in_a_row, true)).contains("the same three times in a row"));
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
