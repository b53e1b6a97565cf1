//! Large pieces of zeroed memory, made ready on a thread of their own before anybody asks for them.
//!
//! The first touch of a huge page has the kernel clear 2 MiB, which takes 0.15 ms, and 5 ms where a hypervisor has to find
//! the memory first: no decision may wait for that. So whoever owns the process starts a [`Supply`], whose thread keeps a
//! piece or two at hand that have been touched already. It decides nothing and is never waited for: where no piece is
//! ready, or no thread was started, a piece is made on the spot and touched as it is used.

use memmap2::MmapMut;
use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

/// Has the processor bring what lies there near, without waiting for it: nothing but the time is different. A read of it
/// that nobody needs is waited for all the same once some dozen instructions have been done meanwhile.
#[inline(always)]
pub fn fetch<T>(thing: &T) {
    #[cfg(target_arch = "x86_64")]
    safe_arch::prefetch_t0(thing);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = thing;
}

/// Bytes of a piece: one huge page.
pub const PIECE: usize = 1 << 21;
/// Bytes of the smallest page that a system may have.
const SMALL_PAGE: usize = 4_096;
/// Pieces that wait to be taken; one more is in the thread's hand.
const READY: usize = 1;
/// What the thread needs of a stack: its work is one loop.
const STACK: usize = 64 * 1024;

/// Zeroed memory that begins where a huge page does.
#[derive(Debug)]
pub struct Piece {
    mapping: MmapMut,
    at: usize,
}

impl Piece {
    /// A piece that nobody has touched.
    fn untouched() -> Piece {
        let map = |bytes| MmapMut::map_anon(bytes).expect("the system has memory for what is remembered");
        let mut mapping = map(PIECE);
        let mut at = mapping.as_ptr().align_offset(PIECE);
        if at != 0 {
            // Linux aligns such mappings since 6.7; of twice as much the middle is aligned, and the rest is never touched.
            mapping = map(2 * PIECE);
            at = mapping.as_ptr().align_offset(PIECE);
        }
        #[cfg(target_os = "linux")]
        {
            // A kernel without huge pages refuses; pages are smaller then, and nothing else is different.
            let _ = mapping.advise(memmap2::Advice::HugePage);
        }
        Piece { mapping, at }
    }

    /// A piece whose memory is there.
    fn touched() -> Piece {
        let mut piece = Piece::untouched();
        piece.bytes_mut().iter_mut().step_by(SMALL_PAGE).for_each(|byte| *byte = 0);
        piece
    }

    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.mapping[self.at..]
    }

    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.mapping[self.at..]
    }
}

/// Where pieces come from; all copies share one thread. Without one every piece is made on the spot.
#[derive(Clone, Debug, Default)]
pub struct Supply(Option<Arc<Line>>);

#[derive(Debug)]
struct Line {
    wanted: SyncSender<()>,
    ready: Mutex<Receiver<Piece>>,
}

impl Supply {
    /// A supply with a thread, which makes nothing until a piece is [wanted](Supply::want), and ends with the last copy of
    /// the supply. Where the system has no thread to give, there is none.
    #[must_use]
    pub fn start() -> Supply {
        let (wanted, wants) = sync_channel(1);
        let (made, ready) = sync_channel(READY);
        let builder = thread::Builder::new().name("memory".to_owned()).stack_size(STACK);
        let line = Line { wanted, ready: Mutex::new(ready) };
        Supply(builder.spawn(move || make(&wants, &made)).is_ok().then(|| Arc::new(line)))
    }

    /// Tells that pieces will be taken soon.
    pub fn want(&self) {
        if let Some(line) = &self.0 {
            // It is enough that one such word is under way.
            let _ = line.wanted.try_send(());
        }
    }

    /// A piece, of which all bytes are 0.
    #[must_use]
    pub fn take(&self) -> Piece {
        self.take_ready().unwrap_or_else(Piece::untouched)
    }

    fn take_ready(&self) -> Option<Piece> {
        self.0.as_ref()?.ready.lock().ok()?.try_recv().ok()
    }
}

/// Makes pieces as long as somebody may take them.
fn make(wants: &Receiver<()>, made: &SyncSender<Piece>) {
    if wants.recv().is_ok() {
        while made.send(Piece::touched()).is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_aligned_zeroed_and_apart() {
        let supply = Supply::start();
        assert!(supply.take_ready().is_none(), "nobody has wanted one");
        supply.want();
        let mut taken: Vec<Piece> = Vec::new();
        while taken.len() < 4 {
            taken.extend(supply.take_ready());
        }
        taken.extend([supply.take(), Supply::default().take()]);
        for (piece, mark) in taken.iter_mut().zip(1..) {
            assert!(piece.bytes().len() >= PIECE && piece.bytes().as_ptr().align_offset(PIECE) == 0);
            assert!(piece.bytes()[..PIECE].iter().all(|byte| *byte == 0));
            piece.bytes_mut()[..PIECE].fill(mark);
        }
        for (piece, mark) in taken.iter().zip(1..) {
            assert!(piece.bytes()[..PIECE].iter().all(|byte| *byte == mark));
        }
    }

    /// It would go on for ever if it did not see that.
    #[test]
    fn nothing_is_made_once_nobody_can_take_it() {
        let (wanted, wants) = sync_channel(1);
        let (made, ready) = sync_channel(READY);
        drop(wanted);
        make(&wants, &made);
        assert!(ready.try_recv().is_err(), "nobody has wanted one");
        let (wanted, wants) = sync_channel(1);
        wanted.send(()).expect("there is room for one");
        drop(ready);
        make(&wants, &made);
    }
}
