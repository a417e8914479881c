//! The pieces of time that windows are made of, and the merging of cells to windows.

use super::cells::Cell;
use crate::times::Times;

/// Times at which a window begins or ends. Between two of them, without the first and with the second, every line
/// belongs to the same windows.
#[derive(Debug)]
pub(super) struct Pieces {
    /// Sorted.
    cuts: Vec<i64>,
    times: Times,
    interval: i64,
    offset: i64,
    steps: usize,
}

impl Pieces {
    pub(super) fn new(times: &Times, interval: i64, offset: i64) -> Pieces {
        let steps = times.count();
        let ends = (0..steps).map(|at| times.step_at(at));
        let mut cuts: Vec<i64> = ends
            .flat_map(|end| [end.saturating_sub(interval), end])
            .collect();
        cuts.sort_unstable();
        cuts.dedup();
        Pieces {
            cuts,
            times: *times,
            interval,
            offset,
            steps,
        }
    }

    /// The piece that a time lies in; `None` if no window sees it.
    pub(super) fn of(&self, timestamp: i64) -> Option<u32> {
        let seen = timestamp.saturating_add(self.offset);
        let piece = self
            .cuts
            .partition_point(|cut| *cut < seen)
            .checked_sub(1)?;
        let end = *self.cuts.get(piece + 1)?;
        // The first window that ends at or after the piece sees it, or none does.
        let step = self.first_step_from(end);
        let begin = self.times.step_at(step).saturating_sub(self.interval);
        (step < self.steps && begin <= self.cuts[piece]).then_some(u32::try_from(piece).ok()?)
    }

    fn first_step_from(&self, time: i64) -> usize {
        let (mut low, mut high) = (0, self.steps);
        while low < high {
            let middle = (low + high) / 2;
            match self.times.step_at(middle) < time {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    /// The value of every step, from the cells of a series by their piece, ascending.
    pub(super) fn slide(
        &self,
        cells: Vec<(u32, Cell)>,
        value: impl Fn(&Cell) -> f64,
    ) -> Vec<Option<f64>> {
        let mut window = Window::new(cells);
        let mut values = Vec::with_capacity(self.steps);
        for step in 0..self.steps {
            let end = self.times.step_at(step);
            let begin = end.saturating_sub(self.interval);
            let piece_of = |time: i64| self.cuts.partition_point(|cut| *cut < time) as u32;
            window.grow(piece_of(end));
            window.shrink(piece_of(begin));
            values.push(window.merged().map(|cell| value(&cell)));
        }
        values
    }
}

/// Cells of a window whose both ends only move on, merged with about two merges for each cell, however wide it is: those
/// that leave soon are merged from their end, once, so that each removal leaves the rest merged.
struct Window {
    cells: Vec<(u32, Cell)>,
    /// The cells from `begin` to `middle`, each merged with those after it; the first of them is the last here.
    front: Vec<Cell>,
    /// The cells from `middle` to `end`, merged.
    back: Option<Cell>,
    begin: usize,
    end: usize,
}

impl Window {
    fn new(cells: Vec<(u32, Cell)>) -> Window {
        Window {
            cells,
            front: Vec::new(),
            back: None,
            begin: 0,
            end: 0,
        }
    }

    /// Takes in the cells of the pieces before `piece`.
    fn grow(&mut self, piece: u32) {
        while let Some((_, cell)) = self.cells.get(self.end).filter(|(at, _)| *at < piece) {
            match &mut self.back {
                Some(back) => back.merge(cell),
                None => self.back = Some(cell.clone()),
            }
            self.end += 1;
        }
    }

    /// Leaves the cells of the pieces before `piece` out.
    fn shrink(&mut self, piece: u32) {
        while self.begin < self.end && self.cells[self.begin].0 < piece {
            if self.front.is_empty() {
                self.turn(piece);
                continue;
            }
            self.front.pop();
            self.begin += 1;
        }
    }

    /// Makes the back the front, without the cells that are left out anyway.
    fn turn(&mut self, piece: u32) {
        while self.begin < self.end && self.cells[self.begin].0 < piece {
            self.begin += 1;
        }
        self.back = None;
        for (_, cell) in self.cells[self.begin..self.end].iter().rev() {
            let mut merged = cell.clone();
            if let Some(after) = self.front.last() {
                merged.merge(after);
            }
            self.front.push(merged);
        }
    }

    fn merged(&self) -> Option<Cell> {
        let mut merged = self.front.last().cloned();
        if let Some(back) = &self.back {
            match &mut merged {
                Some(front) => front.merge(back),
                None => merged = Some(back.clone()),
            }
        }
        merged
    }
}
