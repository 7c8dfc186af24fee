/// The one error that leaves a module: what happened, to what, and what to do about it.
///
/// Two errors are equal when their codes are. Texts start in lower case and name the thing; the
/// remedy is an imperative. `docs/errors.md` lists every code and a test holds it to this file.
package struct GodwitError: Error, Sendable, Codable, CustomStringConvertible {
    package let code: Code
    package let message: String
    /// What the operator can do, in the imperative.
    package let remedy: String?
    /// What a tool or the kernel said, shortened to the lines that matter.
    package let cause: String?
    /// What the preflight found, when `code` is `refused`; empty otherwise.
    package let findings: [Finding]

    package init(
        _ code: Code,
        _ message: String,
        remedy: String? = nil,
        cause: String? = nil,
        findings: [Finding] = []
    ) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.cause = cause
        self.findings = findings
    }

    package var description: String {
        var lines = ["\(message) (\(code.rawValue))"]
        if let cause { lines.append("  cause: \(cause)") }
        lines += findings.map { "  - \($0)" }
        if let remedy { lines.append("  → \(remedy)") }
        return lines.joined(separator: "\n")
    }
}

extension GodwitError: Equatable {
    package static func == (left: GodwitError, right: GodwitError) -> Bool {
        left.code == right.code
    }
}
