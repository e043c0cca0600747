#!/usr/bin/perl
# log-events.pl FILE...: every CS_LOG of C sources, one a line: event|file|levels|job id (yes or nothing)|fields
use strict;
use warnings;

# arguments TEXT: what stands between the parenthesis that TEXT follows and its end, split at the commas of that level.
sub arguments {
    my ($text) = @_;
    my ($depth, @args) = (0, '');
    while ($text =~ /\G("(?:[^"\\]|\\.)*"|.)/gs) {
        my $token = $1;
        last if $token eq ')' && $depth == 0;
        $depth += $token eq '(' ? 1 : $token eq ')' ? -1 : 0;
        if ($token eq ',' && $depth == 0) { push @args, '' }
        else { $args[-1] .= $token }
    }
    s/^\s+|\s+$//g for @args;
    return @args;
}

for my $file (@ARGV) {
    open my $in, '<', $file or die "$file: $!\n";
    my $source = do { local $/; <$in> };
    while ($source =~ /\bCS_LOG\(/g) {
        my ($level, $event, $job, @pairs) = arguments(substr $source, pos $source);
        my $levels = join ' ', map { lc } $level =~ /CS_LOG_([A-Z]+)/g;
        my $fields = join ' ', map { /^cs_kv_[a-z]\(\s*"([a-z_]+)"/ } @pairs;
        print join('|', $_, $file, $levels, $job eq 'NULL' ? '' : 'yes', $fields), "\n"
            for $event =~ /"[a-z_]+"/ ? $event =~ /"([a-z_]+)"/g : '?';
    }
}
