import Foundation
import LinuxHost
import MigrationCore

/// Turns what runc and CRIU left behind into an error, and keeps CRIU's whole log.
enum CriuFailure {
    /// - Parameter action: `dump` or `restore`, as CRIU names its logs.
    static func error(
        _ code: GodwitError.Code, _ files: InstanceFiles, action: String
    ) -> GodwitError {
        let kept = keepLog(files, action: action)
        let found = kept.flatMap { CriuLog($0.text) }
        let place = kept.map { "; the whole log is \($0.path)" } ?? ""
        let verb = action == "dump" ? "checkpointed" : "restored"
        return GodwitError(
            code, "the instance \(files.name) could not be \(verb)\(place)",
            remedy: found?.remedy ?? "see what runc said, and whether CRIU works: criu check",
            cause: found?.cause ?? lastWords(of: files.runcLog))
    }

    /// Copies CRIU's log out of memory to where it stays.
    @discardableResult
    static func keepLog(
        _ files: InstanceFiles, action: String
    ) -> (text: String, path: String)? {
        let path = files.criuLog(action)
        guard let text = try? SmallFile.text("\(files.work)/\(action).log") else { return nil }
        try? SmallFile.makeDirectory(files.logDirectory + "/migrations")
        try? SmallFile.replace(path, with: Array(text.utf8))
        return (text, path)
    }

    /// The message of the last line of runc's log: `time="..." level=error msg="..."`.
    static func lastWords(of runcLog: String) -> String? {
        let lines = (SmallFile.word(runcLog) ?? "").split(separator: "\n")
        let last = lines.last { $0.contains("level=error") } ?? lines.last
        guard let last else { return nil }
        guard let mark = last.firstRange(of: "msg=\"") else { return String(last.prefix(1000)) }
        return String(last[mark.upperBound...].dropLast().prefix(1000))
    }
}
