//! Things that outgrew the record of their wallet, by the place that the record holds.

/// Things by place; a place that is free is used again.
#[derive(Debug)]
pub struct Slab<T> {
    things: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { things: Vec::new(), free: Vec::new() }
    }
}

const HELD: &str = "a place is given back once, by the record that holds it";

impl<T> Slab<T> {
    pub fn put(&mut self, thing: T) -> u32 {
        match self.free.pop() {
            Some(place) => {
                self.things[place as usize] = Some(thing);
                place
            }
            None => {
                self.things.push(Some(thing));
                u32::try_from(self.things.len() - 1).expect("memory ends before places do")
            }
        }
    }

    #[must_use]
    pub fn get(&self, place: u32) -> &T {
        self.things[place as usize].as_ref().expect(HELD)
    }

    pub fn get_mut(&mut self, place: u32) -> &mut T {
        self.things[place as usize].as_mut().expect(HELD)
    }

    /// Takes a thing out and frees its place.
    pub fn take(&mut self, place: u32) -> T {
        let thing = self.things[place as usize].take().expect(HELD);
        self.free.push(place);
        thing
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.things.iter_mut().flatten()
    }
}
