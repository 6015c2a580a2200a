//! The form of a snapshot in JSON.

use std::io::{self, Write};

use serde_json::ser::Formatter;

/// Puts every object of `items` into one line, so that it can be searched and compared line by line, and what is around
/// them into lines with indentation.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// How deep it is in what is broken into lines.
    depth: usize,
    /// How deep it is in what stands in one line.
    within: usize,
    /// Whether the value that is written now is an element of `items`.
    is_item: bool,
    /// Whether something stands in the innermost mapping or list.
    is_filled: bool,
    /// The key that was written last, or is being written.
    key: String,
    is_key: bool,
}

impl Lines {
    fn begin<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        if self.within > 0 || self.is_item {
            self.within += 1;
        } else {
            self.depth += 1;
            self.is_filled = false;
        }
        writer.write_all(bracket)
    }

    fn end<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        if self.within > 0 {
            self.within -= 1;
        } else {
            self.depth -= 1;
            if self.is_filled {
                self.new_line(writer)?;
            }
            self.is_filled = true;
        }
        writer.write_all(bracket)
    }

    /// What stands before an entry.
    fn entry<W: ?Sized + Write>(&mut self, writer: &mut W, is_first: bool) -> io::Result<()> {
        if !is_first {
            writer.write_all(b",")?;
        }
        if self.within > 0 {
            return Ok(());
        }
        self.new_line(writer)
    }

    fn new_line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| writer.write_all(b"  "))
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.within == 0 {
            self.is_item = false;
        }
        self.end(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, is_first: bool) -> io::Result<()> {
        if self.within == 0 && is_first {
            self.is_item = self.key == "items";
        }
        self.entry(writer, is_first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_filled = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, is_first: bool) -> io::Result<()> {
        self.is_key = self.within == 0;
        if self.is_key {
            self.key.clear();
        }
        self.entry(writer, is_first)
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if self.is_key {
            self.key.push_str(fragment);
        }
        writer.write_all(fragment.as_bytes())
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_key = false;
        Ok(())
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(if self.within > 0 { b":" } else { b": " })
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_filled = true;
        Ok(())
    }
}
