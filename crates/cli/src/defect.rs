//! What is told of a panic: where it was, never what it says.

use std::any::Any;
use std::io::{self, Write};
use std::panic::{self, Location, PanicHookInfo, UnwindSafe};

/// Replaces what the standard library prints of a panic.
///
/// The text of a panic may quote what the code was looking at, and engines that read files
/// look at values; so it is printed in no case, not even when backtraces are asked for.
pub(crate) fn guard() {
    panic::set_hook(Box::new(|panic| {
        // If stderr is gone nobody is left to tell.
        let _ = writeln!(io::stderr().lock(), "error: {}", told(panic));
    }));
}

/// Runs something to its end, or to the panic that the hook has told of.
pub(crate) fn caught<T>(run: impl FnOnce() -> T + UnwindSafe) -> Result<T, Box<dyn Any + Send>> {
    panic::catch_unwind(run)
}

fn told(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(Location::to_string);
    format!(
        "sameas {} failed at {}; what was published goes on serving. Unless another error says why, this is a defect: please report this line and the command that was run",
        env!("CARGO_PKG_VERSION"),
        place.as_deref().unwrap_or("an unknown place")
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// An engine that decodes a damaged file may put a value into its panic, which the
    /// standard library prints; ours names the place alone.
    #[test]
    fn a_panic_tells_its_place_and_never_its_text() {
        const CANARY: &str = "Quokkadottir";
        let heard = Arc::new(Mutex::new(String::new()));
        let ear = Arc::clone(&heard);
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if let Ok(mut ear) = ear.lock() {
                ear.push_str(&told(panic));
            }
        }));
        let ended = caught(|| panic!("a cell holds {CANARY}"));
        panic::set_hook(before);
        assert!(ended.is_err());
        let heard = heard.lock().map(|heard| heard.clone()).unwrap_or_default();
        assert!(heard.contains("defect.rs:"), "{heard}");
        assert!(heard.contains("please report"), "{heard}");
        assert!(!heard.contains(CANARY), "{heard}");
    }
}
