//! Panics in user code, reported once: the error of the job names the step, so the default message would say it twice.

use std::cell::Cell;
use std::panic;

thread_local! {
    static TOLD_ELSEWHERE: Cell<bool> = const { Cell::new(false) };
}

/// Silences the default message where an error will report the panic: on the workers, and within [`told_elsewhere`].
///
/// With `RUST_BACKTRACE` set, every panic is reported at once, with its backtrace.
pub(super) fn set_hook() {
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|wanted| wanted != "0") {
        return;
    }
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let on_worker = std::thread::current().name().is_some_and(|name| name.starts_with("timely:work"));
        if !on_worker && !TOLD_ELSEWHERE.get() {
            default(info);
        }
    }));
}

/// Calls something that catches its own panics and turns them into errors.
pub(super) fn told_elsewhere<T>(call: impl FnOnce() -> T) -> T {
    TOLD_ELSEWHERE.set(true);
    let made = call();
    TOLD_ELSEWHERE.set(false);
    made
}
