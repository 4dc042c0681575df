#!/usr/bin/perl
# Stands in the place of QEMU, and is not what its name says: AIRTIGHT_TEST_QEMU says how. What is not named is QEMU itself, at AIRTIGHT_TEST_REAL.
use strict;
use warnings;
use IO::Socket::UNIX;
use Time::HiRes qw(sleep);

exec $ENV{AIRTIGHT_TEST_REAL}, @ARGV if "@ARGV" eq '--version';

my $how = $ENV{AIRTIGHT_TEST_QEMU} // '';
my $restored = grep { $_ eq '-incoming' } @ARGV;

if ($how eq 'ends at once') {
    print STDERR "qemu-system-x86_64: it does not like this machine\n";
    exit 3;
} elsif ($how eq 'never connects') {
    sleep 1000;
} elsif ($how =~ /^says (.*)$/) {
    my $said = { garbage => "\x1e\xff no record\n" x 9, 'no answer' => "{\"QMP\": {}}\n" }->{$1};
    my @sockets = map { /^socket,.*path=(.*)$/ ? IO::Socket::UNIX->new(Peer => $1) : () } @ARGV;
    syswrite $_, $said for @sockets;
    print STDERR "qemu-system-x86_64: it has nothing else to say\n";
    exit 0 if $1 eq 'garbage';
    close STDIN;
    sleep 1000;
} elsif ($how eq 'is killed' && $restored) {
    my $parent = $$;
    if (!fork) {
        sleep 5;
        kill KILL => $parent;
        exit 0;
    }
} elsif ($how eq 'is starved' && $restored) {
    my $parent = $$;
    if (!fork) {
        # It runs for a tenth of the time.
        while (kill STOP => $parent) {
            sleep 0.045;
            kill CONT => $parent;
            sleep 0.005;
        }
        exit 0;
    }
}
exec $ENV{AIRTIGHT_TEST_REAL}, @ARGV;
