import Foundation
import LinuxHost
import MigrationCore
import Testing

@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(2)))
struct HostTreeDigestTests {
    /// Each changes one thing only; times are put back where the change would move them.
    static let changes = [
        "echo ONE > a/one; touch -d '2020-01-01 00:00:00.25' a/one",
        "echo longer >> a/one; touch -d '2020-01-01 00:00:00.25' a/one",
        "chmod 600 a/one", "chmod u+s a/one", "chown 1 a/one", "chgrp 1 a/one",
        "chown -h 1 a/symbolic",
        "touch -d '2020-01-01 00:00:00.250000001' a/one", "touch -h -d 2020-01-02 a/symbolic",
        "touch -d 2020-01-02 a/b", "touch -d 2020-01-02 .", "chmod 700 .", "chown 5 .",
        "setfattr -n user.root -v y .", "setfattr -n user.x -v z a/one", "setfattr -x user.x a/one",
        "setfattr -n trusted.x -v y a/one", "setfattr -h -n trusted.x -v y a/symbolic",
        "setfacl -m u:1234:rw acl", "setfacl -m u:1235:r acl", "setfacl -d -m u:1:r a/b",
        "setcap cap_chown,cap_fowner+ep caps", "setcap -r caps",
        "rm null; mknod null c 1 5; touch -d '2020-01-01 00:00:00.25' null .",
        "rm null; mknod null b 1 3; touch -d '2020-01-01 00:00:00.25' null .",
        "rm fifo; touch -d '2020-01-01 00:00:00.25' fifo .",
        "ln -sfn two a/symbolic; touch -h -d '2020-01-01 00:00:00.25' a/symbolic a",
        "mv a/one a/One; touch -d '2020-01-01 00:00:00.25' a",
        "rm a/b/two; touch -d '2020-01-01 00:00:00.25' a/b",
        "mkdir d; touch -d '2020-01-01 00:00:00.25' d .",
        "cp -p --preserve=all c/link c/new; mv c/new c/link; touch -d '2020-01-01 00:00:00.25' c",
        "mv not* $'not-\\xfe-utf8'; touch -d '2020-01-01 00:00:00.25' .",
    ]

    @Test(arguments: changes)
    func `every single kind of change shows`(change: String) async throws {
        try await withTree { root in
            try await bash(sampleTree, root)
            let digest = TreeDigest()
            let before = try await digest.digest(of: root)
            #expect(try await digest.digest(of: root) == before)
            try await bash("cd $1; \(change)", root)
            let after = try await digest.digest(of: root)
            #expect(after != before)
            #expect(try await TreeDigest().digest(of: root) == after, "memory makes no difference")
        }
    }

    @Test func `equal trees have equal digests, whatever the order of their making`() async throws {
        try await withTree { root in
            try await bash(
                """
                cd $1; mkdir x y; for i in {1..40}; do echo $i > x/$i; done; ln x/7 x/link
                for i in {40..1}; do echo $i > y/$i; done; mv y/7 y/link; ln y/link y/7
                touch -d 2020-02-02 x/* y/* x y
                """, root)
            let one = try await TreeDigest().digest(of: root + "/x")
            #expect(try await TreeDigest().digest(of: root + "/y") == one)
            #expect(one.hasPrefix("tree1-") && one.count == 38)
        }
    }

    @Test func `reading a file leaves its access time and a hole where they are`() async throws {
        try await withTree { root in
            try await bash(
                "cd $1; echo x > f; truncate -s 10M hole; touch -a -d 1990-01-01 f hole", root)
            _ = try await TreeDigest().digest(of: root)
            let facts = try await bash("stat -c '%X %b' $1/f $1/hole | cut -d' ' -f1", root)
            #expect(facts == "631152000\n631152000\n")
        }
    }

    @Test func `a mapped file is read again although nothing shows that it changed`() async throws {
        try await withTree { root in
            try await withTree { image in
                // A filesystem that is mounted anew can hold a changed file with the times it had
                // before: so does a memory that is told so.
                try await bash("echo x > $1/f; echo y > $2/f", root, image)
                let status = try #require(try FileStatus.of(root + "/f"))
                let stale = RememberedHash(
                    size: status.size, modified: status.modified, changed: status.changed,
                    taken: FileTime(seconds: status.changed.seconds + 60),
                    hash: ContentHash(of: [1]))
                let memory = [status.key: stale]
                let trusting = try TreeSurvey(of: root, mapped: ["/g"], remembered: memory)
                #expect(trusting.contents.map(\.hash) == [ContentHash(of: [1])])
                let wary = try TreeSurvey(of: root, mapped: ["/f"], remembered: memory)
                #expect(wary.contents.map(\.hash) == [nil])
            }
        }
    }

    @Test func `attributes are seen to change by a digest that remembers the file`() async throws {
        try await withTree { root in
            try await bash("cd $1; echo x > f; ln f g; setfattr -n user.a -v 1 f", root)
            let digest = TreeDigest()
            var seen: Set<String> = []
            let changes = [
                ":", "setfattr -n user.a -v 2 f", "setfattr -n user.b -v 2 g",
                "setfacl -m u:1234:r f", "setcap cap_chown+ep f", "setfattr -x user.a g",
            ]
            for change in changes {
                try await bash("cd $1; \(change); sleep 0.2", root)
                // Remembered by the first, used by the second.
                let first = try await digest.digest(of: root)
                #expect(try await digest.digest(of: root) == first)
                #expect(try await TreeDigest().digest(of: root) == first)
                #expect(seen.insert(first).inserted, "\(change)")
            }
        }
    }

    @Test func `a hash only holds for a file that was at rest when it was read`() async throws {
        try await withTree { root in
            try await bash("echo x > $1/f", root)
            let status = try #require(try FileStatus.of(root + "/f"))
            let taken = { (milliseconds: Int64) in
                RememberedHash(
                    size: status.size, modified: status.modified, changed: status.changed,
                    taken: status.changed.earlier(byMilliseconds: -milliseconds),
                    hash: ContentHash(of: []))
            }
            #expect(!taken(-5).holds(for: status))
            #expect(!taken(0).holds(for: status))
            #expect(!taken(90).holds(for: status))
            #expect(taken(3_000).holds(for: status))
        }
    }

    @Test func `a link that is put in a directory's place is not followed`() async throws {
        try await withTree { root in
            try await bash(
                "cd $1; mkdir tree out tree/d; echo secret > out/f; echo x > tree/d/f", root)
            let files = try RootedFiles(root + "/tree")
            #expect(try files.regularFile(at: Array("d/f".utf8)) != nil)
            try await bash("cd $1; rm -r tree/d; ln -s ../out tree/d", root)
            for path in ["d/f", "../out/f", "d", "", "/etc/passwd", "d/../../out/f"] {
                #expect(try files.regularFile(at: Array(path.utf8)) == nil, "\(path)")
            }
        }
    }

    @Test func `a tree that is too deep is refused and can still be removed`() async throws {
        try await withTree { root in
            try await bash(
                "cd $1; for i in {1..300}; do mkdir d; cd d; done", root)
            do {
                _ = try await TreeDigest().digest(of: root)
                Issue.record("no error")
            } catch { #expect((error as? GodwitError)?.code == .limitExceeded) }
        }
    }

    @Test func `no tree is not found`() async throws {
        do {
            _ = try await TreeDigest().digest(of: "/nonexistent/tree")
            Issue.record("no error")
        } catch { #expect((error as? GodwitError)?.code == .notFound) }
    }

    @Test func `a tree of 20,000 files is walked, and again`() async throws {
        try await withTree { root in
            try await bash(
                "cd $1; mkdir {0..199}; for d in {0..199}; do "
                    + "for f in {0..99}; do echo $d.$f > $d/$f; done; done",
                root)
            let digest = TreeDigest()
            let clock = ContinuousClock()
            var one = ""
            var other = ""
            let first = try await clock.measure { one = try await digest.digest(of: root) }
            let second = try await clock.measure { other = try await digest.digest(of: root) }
            #expect(one == other)
            let line = "figure: digest of 20,000 files: first \(first), again \(second)\n"
            FileHandle.standardError.write(Data(line.utf8))
        }
    }

    @Test(arguments: [
        (1_500, 3, 500_000_007), (3_499, 1, 501_000_007), (6_000, -1, 7), (1, 4, 999_000_007),
    ])
    func `an earlier moment`(milliseconds: Int, seconds: Int, nanoseconds: Int) {
        let moment = FileTime(seconds: 5, nanoseconds: 7)
        let expected = FileTime(seconds: Int64(seconds), nanoseconds: Int64(nanoseconds))
        #expect(moment.earlier(byMilliseconds: Int64(milliseconds)) == expected)
    }
}
