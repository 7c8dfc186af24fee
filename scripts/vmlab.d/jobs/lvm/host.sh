# What device-mapper and Debian's LVM give a storage driver; the machine at hand may have neither.
machines=a seconds=300
pack() { :; }
