//! Things that outgrew the record of their wallet, by the place that the record holds.
//!
//! A place that is given back keeps its thing, emptied: what is long, then short, and then long again asks for no memory.
//! Things lie in chunks that stay where they are, so that one more never moves all others.

/// Things by place; a place that is free is used again by things of the same sort, such as those of one measure.
#[derive(Debug)]
pub struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    /// Free places that keep a thing, by sort.
    free: Vec<Vec<u32>>,
    /// Free places that keep none.
    empty: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { chunks: Vec::new(), free: Vec::new(), empty: Vec::new() }
    }
}

/// Things of a chunk.
const CHUNK: usize = 64;

const HELD: &str = "a place is given back once, by the record that holds it";

impl<T> Slab<T> {
    /// A place with a thing of that sort, which is one that was given back, or a new one.
    pub fn claim(&mut self, sort: usize, new: impl FnOnce() -> T) -> u32 {
        if let Some(place) = self.free.get_mut(sort).and_then(Vec::pop) {
            return place;
        }
        self.put(new())
    }

    /// A place with a thing that was made elsewhere.
    pub fn put(&mut self, thing: T) -> u32 {
        if let Some(place) = self.empty.pop() {
            *self.thing_mut(place) = Some(thing);
            return place;
        }
        let place = self.len();
        if place.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        self.chunks[place / CHUNK].push(Some(thing));
        u32::try_from(place).expect("memory ends before places do")
    }

    fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    fn thing_mut(&mut self, place: u32) -> &mut Option<T> {
        &mut self.chunks[place as usize / CHUNK][place as usize % CHUNK]
    }

    #[must_use]
    pub fn get(&self, place: u32) -> &T {
        self.chunks[place as usize / CHUNK][place as usize % CHUNK].as_ref().expect(HELD)
    }

    pub fn get_mut(&mut self, place: u32) -> &mut T {
        self.thing_mut(place).as_mut().expect(HELD)
    }

    /// Gives a place back. Its thing has been emptied, or is to be when the place is claimed.
    pub fn release(&mut self, sort: usize, place: u32) {
        if self.free.len() <= sort {
            self.free.resize_with(sort + 1, Vec::new);
        }
        self.free[sort].push(place);
    }

    /// Lets go of the things in free places: there are other sorts from now on.
    pub fn forget_sorts(&mut self) {
        let Slab { chunks, free, empty } = self;
        for place in free.drain(..).flatten() {
            chunks[place as usize / CHUNK][place as usize % CHUNK] = None;
            empty.push(place);
        }
    }

    /// Places that have been claimed and not given back.
    pub fn held(&self) -> usize {
        self.len() - self.free.iter().map(Vec::len).sum::<usize>() - self.empty.len()
    }

    /// All things, those of free places among them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flatten().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_place_keeps_its_thing_for_its_sort() {
        let mut slab: Slab<Vec<u8>> = Slab::default();
        let [first, other] = [1, 0].map(|sort| slab.claim(sort, || Vec::with_capacity(100)));
        slab.get_mut(first).push(7);
        slab.get_mut(first).clear();
        slab.release(1, first);
        let fresh = slab.claim(0, Vec::new);
        assert!(![first, other].contains(&fresh), "another sort's room");
        let again = slab.claim(1, Vec::new);
        assert_eq!((again, slab.get(again).capacity()), (first, 100));
        slab.release(1, again);
        slab.forget_sorts();
        assert_eq!(slab.claim(0, Vec::new), first);
        assert_eq!((slab.iter_mut().count(), slab.held()), (3, 3));
    }
}
