import Foundation
import LinuxHost
import MigrationCore
import Testing

@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(1)))
struct HostIDShiftTests {
    private let map = IDMap(hostStart: 1_000_000, count: 65_536)

    @Test func `owners, ACLs and capabilities move, modes and times stay`() async throws {
        try await withTree { root in
            try await bash(
                """
                cd $1; mkdir d; echo x > d/f; ln d/f d/link; chown 33:44 d/f; chmod 6755 d/f; touch -d 2020-02-02 d/f
                ln -s nowhere s; chown -h 5:6 s; mknod null c 1 3; mkfifo p; echo a > a
                setfacl -m u:7:rw,g:8:r a; setfacl -d -m u:9:rwx d; echo c > c; setcap cap_chown+ep c; chmod 1777 .
                """, root)
            try await IDShift(map).apply(to: root)
            let facts = try await bash(
                """
                cd $1; stat -c '%n %u %g %a' . d d/f d/link s null p a c; stat -c %Y d/f; getcap -n c
                getfacl -nEcp a d | grep -E 'user:|group:'
                """, root)
            #expect(
                facts == """
                    . 1000000 1000000 1777
                    d 1000000 1000000 755
                    d/f 1000033 1000044 6755
                    d/link 1000033 1000044 6755
                    s 1000005 1000006 777
                    null 1000000 1000000 644
                    p 1000000 1000000 644
                    a 1000000 1000000 664
                    c 1000000 1000000 644
                    1580601600
                    c cap_chown=ep [rootid=1000000]
                    user::rw-
                    user:1000007:rw-
                    group::r--
                    group:1000008:r--
                    user::rwx
                    group::r-x
                    default:user::rwx
                    default:user:1000009:rwx
                    default:group::r-x

                    """)
        }
    }

    @Test func `what has been given away already can be left as it is`() async throws {
        try await withTree { root in
            try await bash(
                """
                cd $1; echo x > a; chown 33:44 a; setfacl -m u:7:rw a; echo c > c
                setcap cap_chown+ep c; echo b > b; chown 1000005:6 b
                """, root)
            for _ in 0..<2 { try await IDShift(map, leavesShifted: true).apply(to: root) }
            let facts = try await bash(
                "cd $1; stat -c '%n %u %g' a b c; getcap -n c; getfacl -nEcp a | grep user:1",
                root)
            #expect(
                facts == """
                    a 1000033 1000044
                    b 1000005 1000006
                    c 1000000 1000000
                    c cap_chown=ep [rootid=1000000]
                    user:1000007:rw-

                    """)
        }
    }

    @Test(arguments: ["chown 65536 f", "chgrp 70000 f", "setfacl -m u:65536:r f"])
    func `an id outside of the map is refused with the path`(change: String) async throws {
        try await withTree { root in
            try await bash("cd $1; echo x > f; \(change)", root)
            do {
                try await IDShift(map).apply(to: root)
                Issue.record("no error")
            } catch {
                let error = try #require(error as? GodwitError)
                #expect(error.code == .badRequest)
                #expect(error.message.hasPrefix("/f has the"))
            }
        }
    }

    @Test(arguments: [
        IDMap(hostStart: 4_294_900_000, count: 100_000), IDMap(hostStart: 1, count: 0),
        IDMap(hostStart: 1, count: .max),
    ])
    func `a map beyond all ids is refused`(map: IDMap) {
        #expect(throws: GodwitError(.badRequest, "")) { try IDShift(map) }
    }

    @Test func `ACL entries that name no id stay`() throws {
        let row = { (tag: UInt8, id: [UInt8]) -> [UInt8] in [tag, 0, 7, 0] + id }
        let none: [UInt8] = [0xff, 0xff, 0xff, 0xff]
        let value: [UInt8] = [2, 0, 0, 0] + row(1, none) + row(2, [1, 0, 0, 0]) + row(0x20, none)
        let shifted = PosixACL.shifted(value) { $0 + 0x0100_0000 }
        #expect(shifted == [2, 0, 0, 0] + row(1, none) + row(2, [1, 0, 0, 1]) + row(0x20, none))
        #expect(!PosixACL.isPlain(value))
        #expect(
            PosixACL.isPlain([2, 0, 0, 0] + row(1, none) + row(4, none) + row(0x20, none)))
        #expect(PosixACL.shifted([1, 0, 0, 0]) { $0 } == nil)
        #expect(PosixACL.shifted([2, 0, 0, 0, 1]) { $0 } == nil)
        #expect(PosixACL.shifted([]) { $0 } == nil)
    }

    @Test func `capabilities of every revision become those of the instance's root`() {
        let sets = [UInt8](1...16)
        let root: [UInt8] = [0x40, 0x42, 0x0f, 0]
        let expected = [1, 0, 0, 3] + sets + root
        let shifted = { (value: [UInt8]) in
            FileCapability.shifted(value, root: 1_000_000) { $0 + 1_000_000 }
        }
        #expect(shifted([1, 0, 0, 2] + sets) == expected)
        #expect(shifted([1, 0, 0, 3] + sets + [0, 0, 0, 0]) == expected)
        let old = [1, 0, 0, 1] + sets.prefix(8)
        #expect(
            shifted(old) == [1, 0, 0, 3] + sets.prefix(8) + [UInt8](repeating: 0, count: 8) + root)
        #expect(shifted([1, 0, 0, 4] + sets) == nil)
        #expect(shifted([1, 0, 0, 2]) == nil)
        #expect(shifted([]) == nil)
    }
}
