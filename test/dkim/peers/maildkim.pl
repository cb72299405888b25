# Verifies or signs every .eml file of a directory with Mail::DKIM.
# maildkim.pl verify DIR; maildkim.pl sign DIR DOMAIN SELECTOR KEYFILE METHOD
# It prints a line NAME, tab, result; signing writes NAME.signed.
use strict;
use warnings;
use JSON::PP;
use Mail::DKIM::Signer;
use Mail::DKIM::Verifier;
use Net::DNS::RR;

my ($what, $folder, $domain, $selector, $keyfile, $method) = @ARGV;
my $records = {};
$records = decode_json(content("$folder/records.json")) if $what eq 'verify';

{
	no warnings 'redefine';
	*Mail::DKIM::DNS::query = sub {
		my ($name) = @_;
		my $text = $records->{lc $name};
		$@ = defined $text ? 'NOERROR' : 'NXDOMAIN';
		return unless defined $text;
		my @result = Net::DNS::RR->new(owner => $name, type => 'TXT', txtdata => [unpack('(a255)*', $text)]);
		$@ = 'NOERROR';
		return @result;
	};
}

sub content {
	my ($path) = @_;
	open my $f, '<:raw', $path or die "$path: $!";
	local $/;
	return scalar <$f>;
}

opendir my $d, $folder or die "$folder: $!";
for my $name (sort grep { /\.eml$/ } readdir $d) {
	my $message = content("$folder/$name");
	my $result = eval {
		my $m = $what eq 'sign'
			? Mail::DKIM::Signer->new(Algorithm => 'rsa-sha256', Method => $method, Domain => $domain, Selector => $selector, KeyFile => $keyfile)
			: Mail::DKIM::Verifier->new;
		# In pieces that end within lines, which are joined.
		for (my $at = 0; $at < length $message; $at += 60000) {
			$m->PRINT(substr($message, $at, 60000));
		}
		$m->CLOSE;
		if ($what eq 'sign') {
			open my $f, '>:raw', "$folder/$name.signed" or die $!;
			print $f $m->signature->as_string, "\r\n", $message;
			close $f or die $!;
			'signed';
		} else {
			$m->result eq 'pass' ? 'pass' : $m->result_detail;
		}
	};
	$result = "error $@" unless defined $result;
	$result =~ s/[\r\n]+/ /g;
	print "$name\t$result\n";
}
