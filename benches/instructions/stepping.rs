//! Counts the instructions that a child of this program takes between two marks, by letting it take one at a time.
//!
//! `ptrace` needs nothing installed, no counters of the processor (rented machines and containers seldom have them) and
//! no rights beyond those over a child that asks for it. It takes some 20 µs an instruction, so it counts dozens of
//! events and not a million; as the same program takes the same instructions over the same bytes, that is enough.
//! Only what the program itself does is counted: neither the kernel nor other programs.

use nix::{
    sys::{
        ptrace,
        signal::{Signal, raise},
        wait::{WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::process::{Command, Stdio};

/// The C library picks its copying and comparing by the processor. With everything newer than the first x86-64 hidden
/// from it, it picks the same on each, and so it counts the same. On other processors this says nothing.
const PLAIN_PROCESSOR: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-BMI2,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2,\
-AVX_Fast_Unaligned_Load,-Fast_Unaligned_Copy";

/// Asks the parent to count, from the next mark on. To be called by the child, once.
///
/// # Panics
/// If the system forbids it.
pub fn begin() {
    ptrace::traceme().expect("a process may be traced by its parent, unless the machine forbids `ptrace` altogether");
}

/// Ends one interval and begins the next. To be called by the child.
///
/// # Panics
/// Never: a process may stop itself.
pub fn mark() {
    raise(Signal::SIGSTOP).expect("a process may stop itself");
}

/// Starts this program with `arguments` and gives the instructions between each two of its `marks` marks, the marks'
/// own taken off. The first interval must be empty: it tells what a mark takes.
pub fn intervals(arguments: &[&str], marks: usize) -> anyhow::Result<Vec<u64>> {
    let program = std::env::current_exe()?;
    // Without an environment the child's stack lies the same whoever starts it.
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("GLIBC_TUNABLES", PLAIN_PROCESSOR)
        .stdin(Stdio::null())
        .spawn()?;
    let traced = Pid::from_raw(i32::try_from(child.id())?);
    next_stop(traced)?;
    ptrace::setoptions(traced, ptrace::Options::PTRACE_O_EXITKILL)?;
    let mut counts = Vec::with_capacity(marks);
    while counts.len() + 1 < marks {
        counts.push(to_the_next_mark(traced)?);
    }
    ptrace::cont(traced, None)?;
    anyhow::ensure!(child.wait()?.success(), "the counted program failed");
    let empty = *counts.first().ok_or_else(|| anyhow::anyhow!("two marks are the least"))?;
    counts.iter().skip(1).map(|count| Ok(count.checked_sub(empty).expect("an interval ends with a mark"))).collect()
}

fn to_the_next_mark(traced: Pid) -> anyhow::Result<u64> {
    for count in 1.. {
        ptrace::step(traced, None)?;
        if next_stop(traced)? == Signal::SIGSTOP {
            return Ok(count);
        }
    }
    unreachable!("a program ends before u64 does")
}

/// Waits until the child has stopped, at a mark or after one instruction.
fn next_stop(traced: Pid) -> anyhow::Result<Signal> {
    match waitpid(traced, None)? {
        WaitStatus::Stopped(_, signal @ (Signal::SIGSTOP | Signal::SIGTRAP)) => Ok(signal),
        other => anyhow::bail!("the counted program did not come to its next mark: {other:?}"),
    }
}
