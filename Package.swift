// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: dependencies + ["TestSupport"],
        swiftSettings: settings
    )
}

let package = Package(
    name: "godwit",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "godwit", targets: ["godwit"]),
        // Preloaded into CRIU, so it must need nothing but the C library.
        .library(name: "godwit-criu", type: .dynamic, targets: ["CriuShim"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        module("MigrationCore", []),
        .target(name: "CLinux"),
        .target(
            name: "CriuShim",
            cSettings: [.unsafeFlags(["-fvisibility=hidden"])],
            // Without it the Swift driver would link the Swift runtime, which CRIU's loader lacks.
            linkerSettings: [.unsafeFlags(["-enable-experimental-feature", "Embedded"])]
        ),
        .systemLibrary(
            name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        module("LinuxHost", ["MigrationCore", "CLinux", "CXXHash", "CLZ4"]),
        module("Pages", ["MigrationCore", "LinuxHost"]),
        module("Instances", ["MigrationCore", "LinuxHost", "Pages"]),
        module("Storage", ["MigrationCore", "LinuxHost", crypto]),
        module(
            "Wire",
            [
                "MigrationCore", nioCore, nioPosix, nioTLS, nioSSL, crypto, logging,
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
            ]
        ),
        module(
            "Engine",
            [
                "MigrationCore", logging, crypto,
                .product(name: "GRDB", package: "GRDB.swift"),
            ]
        ),
        .target(
            name: "API",
            dependencies: [
                "MigrationCore", nioCore, nioPosix, nioHTTP1, nioWebSocket, nioSSL, logging,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            // Compiler 6.3.1 crashes while it optimises closures of routes (docs/decisions/0005).
            swiftSettings: settings + [.unsafeFlags(["-Onone"], .when(configuration: .release))]
        ),
        .executableTarget(
            name: "godwit",
            dependencies: [
                "MigrationCore", "LinuxHost", "Instances", "Storage", "Wire", "Engine", "API",
                nioCore, nioPosix, nioSSL, logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        module("TestSupport", ["MigrationCore", "LinuxHost"]),
        .executableTarget(
            name: "lab",
            dependencies: [
                "MigrationCore", "LinuxHost", "Pages", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        tests("MigrationCore", ["MigrationCore"]),
        tests("LinuxHost", ["LinuxHost", "CLinux"]),
        tests("Pages", ["Pages", "LinuxHost", "MigrationCore"]),
        tests("Instances", ["Instances", "Pages", "LinuxHost", "MigrationCore"]),
        tests("Storage", ["Storage", "LinuxHost", "MigrationCore", crypto]),
        tests("Wire", ["Wire", "MigrationCore", nioCore, nioPosix, nioSSL, crypto]),
        tests(
            "Engine",
            ["Engine", "MigrationCore", logging, .product(name: "GRDB", package: "GRDB.swift")]
        ),
        tests("API", ["API", "MigrationCore", nioCore, nioPosix]),
        tests("Program", ["godwit", "MigrationCore", "API"]),
        tests("Bench", ["lab"]),
        tests("Tidy", []),
        tests("Host", ["MigrationCore", "LinuxHost"]),
    ],
    swiftLanguageModes: [.v6]
)
