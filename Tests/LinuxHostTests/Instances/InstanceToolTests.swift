import LinuxHost
import MigrationCore
import Testing

@Suite struct InstanceToolTests {
    private let runc = Runc(path: "runc", root: "/run/godwit/runc", criu: "/criu")
    private let interface = InterfaceDefinition(
        name: "eth0", bridge: "br0", hardwareAddress: "02:00:00:00:00:05",
        addresses: ["10.0.0.5/24", "fd00::5/64"], gateways: ["10.0.0.1", "fd00::1"], mtu: 1400)

    @Test func `runc is asked in these words`() {
        let lines = [
            runc.run("web", bundle: "/b", pidFile: "/b/pid", log: "/b/log"),
            runc.checkpoint("web", images: "/i", work: "/w", keepsConnections: true, log: "/l"),
            runc.checkpoint("web", images: "/i", work: "/w", keepsConnections: false, log: "/l"),
            runc.restore(
                "web", bundle: "/b", images: "/i", work: "/w", keepsConnections: true,
                pidFile: "/p", log: "/l"),
            runc.restore(
                "web", bundle: "/b", images: "/i", work: "/w", keepsConnections: false,
                isLazy: true, pidFile: "/p", log: "/l"),
            runc.delete("web"),
            runc.execute(
                ["ls", "-l"], in: "web", directory: "/tmp", user: "1:2", environment: ["A=b"],
                pidFile: "/p"),
        ].map(\.description)
        let head = "runc --root /run/godwit/runc --criu /criu"
        #expect(
            lines == [
                "\(head) --log /b/log run --detach --bundle /b --pid-file /b/pid web",
                "\(head) --log /l checkpoint --leave-running --file-locks --tcp-established"
                    + " --image-path /i --work-path /w web",
                "\(head) --log /l checkpoint --leave-running --file-locks"
                    + " --image-path /i --work-path /w web",
                "\(head) --log /l restore --detach --file-locks --tcp-established"
                    + " --image-path /i --work-path /w --bundle /b --pid-file /p web",
                "\(head) --log /l restore --detach --file-locks --lazy-pages"
                    + " --image-path /i --work-path /w --bundle /b --pid-file /p web",
                "\(head) delete --force web",
                "\(head) exec --cwd /tmp --user 1:2 --pid-file /p --env A=b web ls -l",
            ])
    }

    @Test func `ip is asked in these words`() {
        let veth = Ip.addVeth(interface, hostEnd: "gw01", pid: 42)
        #expect(veth.command.description == "ip -batch -")
        #expect(
            veth.input == """
                link add name gw01 mtu 1400 type veth peer name eth0 address 02:00:00:00:00:05 \
                mtu 1400 netns 42
                link set dev gw01 master br0

                """)
        let inner = Ip.configure([interface], pid: 42)
        #expect(inner.command.description == "nsenter --net=/proc/42/ns/net ip -batch -")
        #expect(
            inner.input == """
                link set dev lo up
                link set dev eth0 up
                address add 10.0.0.5/24 dev eth0
                address add fd00::5/64 dev eth0 nodad
                route add default via 10.0.0.1 dev eth0
                route add default via fd00::1 dev eth0

                """)
        let macvlan = Ip.addMacvlan(interface, pid: 42, isOpen: false)
        #expect(macvlan.command.description == "ip -batch -")
        #expect(
            macvlan.input == """
                link add link br0 name eth0 address 02:00:00:00:00:05 mtu 1400 netns 42 \
                type macvlan mode source

                """)
        #expect(Ip.addMacvlan(interface, pid: 42, isOpen: true).input.hasSuffix("mode bridge\n"))
        #expect(Ip.deleteLink("gw01").description == "ip link delete dev gw01")
    }

    @Test func `what CRIU must not see is listed by process and address`() {
        let text = Criu.hiddenPages([
            42: [0x7000..<0x9000, 0x1000..<0x2000], 7: [0xffff_0000_0000..<0xffff_0000_1000],
        ])
        #expect(text == "7 ffff00000000 ffff00001000\n42 1000 2000\n42 7000 9000\n")
        #expect(Criu.hiddenPages([:]) == "")
        let library = Criu.library(of: "/usr/local/bin/godwit")
        #expect(library == "/usr/local/bin/libgodwit-criu.so")
        #expect(
            Criu.hiding("/f", mappings: "/d", mark: "/m", library: library)
                == [
                    "LD_PRELOAD": library, "GODWIT_HIDDEN_PAGES": "/f", "GODWIT_MAPPINGS": "/d",
                    "GODWIT_TOUCHED": "/m",
                ])
        #expect(
            Criu.restoringLazily(library: library)
                == ["LD_PRELOAD": library, "GODWIT_LAZY_RESTORE": "1"])
        #expect(
            Criu.restoringLazily(library: library, hold: "/d")
                == [
                    "LD_PRELOAD": library, "GODWIT_LAZY_RESTORE": "1", "GODWIT_HOLD": "/d",
                ])
    }

    @Test func `CRIU is configured by these lines`() {
        #expect(
            Criu.configuration(closesConnections: true) == """
                manage-cgroups=ignore
                network-lock=skip
                empty-ns=net
                skip-in-flight
                link-remap
                ghost-limit=512M
                tcp-close

                """)
        #expect(!Criu.configuration(closesConnections: false).contains("tcp-close"))
    }
}
