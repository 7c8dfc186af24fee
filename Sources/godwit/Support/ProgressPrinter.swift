import Foundation
package import MigrationCore

/// Shows a move while it runs: one redrawn line on a terminal, otherwise a line for each new step.
package struct ProgressPrinter {
    let redraws: Bool
    private var last: (phase: Phase, step: String)?
    private var hasLine = false

    package init(redraws: Bool) { self.redraws = redraws }

    /// The characters to write for this progress; empty where nothing is new.
    package mutating func text(for progress: MigrationProgress, columns: Int = 0) -> String {
        if redraws {
            hasLine = true
            return "\r\u{1b}[K" + clipped(progressText(progress), to: columns)
        }
        let current = (phase: progress.phase, step: progress.step)
        if let last, last == current { return "" }
        last = current
        return progressText(progress) + "\n"
    }

    /// Takes the redrawn line away, so that what follows stands at the left.
    package mutating func end() -> String {
        defer { hasLine = false }
        return hasLine ? "\r\u{1b}[K" : ""
    }
}

/// A line that is wider than the terminal would be wrapped, and then not be redrawn.
private func clipped(_ text: String, to columns: Int) -> String {
    guard columns > 1 else { return text }
    var clipped = ""
    var width = 0
    for character in text {
        width += displayWidth(String(character))
        guard width < columns else { break }
        clipped.append(character)
    }
    return clipped
}

/// The terminal's width, or 0.
func terminalColumns() -> Int {
    var size = winsize()
    // SAFETY: the kernel writes one winsize, which lives until the call returns.
    let result = unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size)
    return result == 0 ? Int(size.ws_col) : 0
}
