/// A program that does to its memory what programs do, at a steady rate, and knows what every page
/// of it must hold: the content follows from the page's number and version, and the versions stand
/// in memory that travels otherwise than the pages do.
///
/// It answers over TCP in redis's manner: `INCR` counts; `VERIFY` has all tasks stand, compare all
/// memory, and says how many pages are wrong; then `CHECKED` says how many were compared and
/// `TASKS` by how many tasks; `STEPS` is what has been written so far. What is wrong is explained
/// in its file `/wrong`.
package enum OracleProgram {
    static let path = "/oracle"
    static let explanations = "/wrong"

    /// Builds it without any library into the tree.
    package static func build(into root: String) async throws {
        let program = [knownMemory, tasks, sharing, server].joined(separator: "\n")
        try await compile(program, to: root + path)
    }
}

/// What the program does; `all` is everything at once that needs nothing from the host and is
/// moved.
package enum OracleVariant: String, CaseIterable, Codable, Sendable {
    case threads, forks, storm, race, shared, memfd, file, huge, locked, guards, seccomp, mappings
    case tree, all
    /// Needs pages that the host has set aside (`vm.nr_hugepages`).
    case hugetlb
    /// 384 MiB.
    case large
    /// Has a task that a signal stopped; hosts with version 1 control groups refuse it.
    case stopped
    /// Refused everywhere.
    case userfaultfd, traced

    /// Those that need nothing from the host and are moved.
    package static let usual = allCases.filter {
        ![.hugetlb, .large, .stopped, .userfaultfd, .traced].contains($0)
    }
}
