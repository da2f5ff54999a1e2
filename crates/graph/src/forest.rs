//! Which things belong together.

/// Disjoint sets of numbers: those that were paired, directly or by way of others, are in one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forest {
    roots: Vec<u32>,
}

impl Forest {
    /// The sets of `0..count` that `pairs` make.
    pub(crate) fn of(count: usize, pairs: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut roots: Vec<u32> = (0..count as u32).collect();
        for (a, b) in pairs {
            let (a, b) = (find(&mut roots, a), find(&mut roots, b));
            roots[a.max(b) as usize] = a.min(b);
        }
        for number in 0..count as u32 {
            roots[number as usize] = find(&mut roots, number);
        }
        Self { roots }
    }

    /// The smallest number in the set of `number`.
    pub(crate) fn root(&self, number: u32) -> u32 {
        self.roots[number as usize]
    }
}

fn find(roots: &mut [u32], mut number: u32) -> u32 {
    while roots[number as usize] != number {
        roots[number as usize] = roots[roots[number as usize] as usize];
        number = roots[number as usize];
    }
    number
}
