//! What a template writes into: so much, and no more.

/// Takes up to `most` bytes; the write that would bring more fails, and with it the rendering.
pub(crate) struct BoundedOutput {
    pub(crate) bytes: Vec<u8>,
    most: usize,
}

impl BoundedOutput {
    pub(crate) fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most }
    }
}

impl std::io::Write for BoundedOutput {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(std::io::Error::other(format!("the template makes more than {} bytes", self.most)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
