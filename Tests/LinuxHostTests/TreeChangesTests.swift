import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// What change times tell of a tree.
@Suite struct TreeChangesTests {
    @Test func `suspects are what changed since, what is mapped, and their other names`()
        async throws
    {
        try await withTree { root in
            try await bash(
                "cd $1; echo a > a; ln a b; echo c > c; echo d > d; ln d e; mkfifo p", root)
            let names = { (moment: FileTime, mapped: Set<String>) in
                texts(
                    try await TreeChanges.find(below: root, since: moment, mapped: mapped).suspects
                )
            }
            let future = FileTime(seconds: FileTime.now().seconds + 10)
            #expect(try await names(future, []) == [])
            #expect(try await names(future, ["/b", "/c", "/none"]) == ["a", "b", "c"])
            #expect(try await names(FileTime(seconds: .min), []) == ["a", "b", "c", "d", "e"])
        }
    }

    private static let tree =
        "mkdir -p one/two/three other; echo x > one/x; ln one/x other/y; "
        + "echo z > one/two/three/z; ln -s z one/two/three/link; mkfifo other/p"

    @Test(arguments: [
        ("true", []),
        ("echo more >> one/x", ["./one/x", "./other/y"]),
        ("chown -h 1 one/two/three/link", ["./one/two/three/link"]),
        ("chmod 700 other/p", ["./other/p"]),
        ("touch new", ["./", "./new"]),
        ("rm other/p", ["./other/"]),
        // All names of an inode that has one more.
        ("ln one/x one/w", ["./one/", "./one/w", "./one/x", "./other/y"]),
        ("mkdir other/new", ["./other/", "./other/new/"]),
        // Whole, and with it the other name of a file below it.
        (
            "mv one other",
            [
                "./", "./other/", "./other/one/", "./other/one/two/",
                "./other/one/two/three/", "./other/one/x", "./other/y",
            ]
        ),
        ("mv one/two one/too", ["./one/", "./one/too/", "./one/too/three/"]),
        // May have been moved, as far as their change times tell.
        (
            "touch one/n one/two/n",
            [
                "./one/", "./one/n", "./one/two/", "./one/two/n", "./one/two/three/",
            ]
        ),
        ("touch one/two/n other/n", ["./one/two/", "./one/two/n", "./other/", "./other/n"]),
    ])
    func `places are all that has to be looked at, and no more`(
        change: String, expected: [String]
    ) async throws {
        try await withTree { root in
            try await bash("cd $1; \(Self.tree)", root)
            let moment = try await between()
            try await bash("cd $1; \(change)", root)
            let changes = try await TreeChanges.find(below: root, since: moment, mapped: [])
            #expect(texts(try #require(changes.places)) == expected.sorted())
        }
    }

    @Test func `a mapped file is looked at by all its names`() async throws {
        try await withTree { root in
            try await bash("cd $1; \(Self.tree)", root)
            let future = FileTime(seconds: FileTime.now().seconds + 10)
            let changes = try await TreeChanges.find(
                below: root, since: future, mapped: ["/other/y"])
            #expect(texts(try #require(changes.places)) == ["./one/x", "./other/y"])
            #expect(texts(changes.suspects) == ["one/x", "other/y"])
        }
    }

    /// Their own inodes tell nothing of that.
    @Test func `files of a directory that has come from elsewhere are compared`() async throws {
        try await withTree { root in
            try await bash(
                "cd $1; mkdir -p a/s b/s c/s; echo 1 > a/s/x; echo 2 > b/s/x; echo 3 > c/s/x", root)
            let future = FileTime(seconds: FileTime.now().seconds + 10)
            let before = try await TreeChanges.find(below: root, since: future, mapped: [])
            let moment = try await between()
            // What has only changed is not moved, whatever its directory's time says.
            try await bash("cd $1; mv a d; mv b a; mv d b; touch c/n c/s/n", root)
            let changes = try await TreeChanges.find(
                below: root, since: moment, mapped: [], known: before.directories)
            #expect(texts(changes.suspects) == ["a/s/x", "b/s/x", "c/n", "c/s/n"])
            #expect(changes.directories != before.directories)
            let again = try await TreeChanges.find(
                below: root, since: future, mapped: [], known: changes.directories)
            #expect(again.suspects == [] && again.places == [])
            #expect(again.directories == changes.directories)
        }
    }

    @Test func `a file that had several names in a layer may have them elsewhere`() async throws {
        try await withTree { root in
            try await bash(
                "cd $1; mkdir -p low/d upper/d; echo x > low/d/x; ln low/d/x low/y; "
                    + "echo z > low/d/z; cp low/d/x low/d/z upper/d", root)
            let moment = try await between()
            let hasPlaces = {
                try await TreeChanges.find(
                    below: root + "/upper", since: moment, mapped: [], layers: [root + "/low"]
                ).places != nil
            }
            try await bash("echo more >> $1/upper/d/z", root)
            #expect(try await hasPlaces())
            try await bash("echo more >> $1/upper/d/x", root)
            #expect(try await !hasPlaces())
        }
    }

    /// Below the upper layer of an overlay is not all that is in the tree.
    @Test(arguments: [
        ("echo z >> one/two/three/z", true), ("rm one/two/three/link", true),
        ("cd other; mknod mark c 0 0; ln mark more", true), ("echo x >> one/x", false),
        ("mv one/two other", false), ("mkdir other/new", false),
    ])
    func `a part of a tree does not tell what was moved and what has several names`(
        change: String, isTold: Bool
    ) async throws {
        try await withTree { root in
            try await bash("cd $1; \(Self.tree)", root)
            let moment = try await between()
            try await bash("cd $1; \(change)", root)
            let changes = try await TreeChanges.find(
                below: root, since: moment, mapped: [], layers: [])
            #expect((changes.places != nil) == isTold)
        }
    }
}

/// A moment after all that was done and before all that will be: the clock of inodes ticks.
private func between() async throws -> FileTime {
    try await Task.sleep(for: .milliseconds(20))
    let moment = FileTime.now()
    try await Task.sleep(for: .milliseconds(20))
    return moment
}

private func texts(_ paths: [[UInt8]]) -> [String] {
    paths.map { String(decoding: $0, as: UTF8.self) }.sorted()
}
