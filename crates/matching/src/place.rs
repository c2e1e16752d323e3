//! Places on Earth as points of a sphere.

/// The mean radius of the Earth in kilometres, as geodesists agreed on it (R1 of GRS 80; Moritz 2000).
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// A point of the unit sphere; [`Place::NOWHERE`] for a value that is no place.
///
/// The distance of two places is the great circle's between them. It is not computed: the square
/// of the straight line between two points grows with it, as `4 * haversine` (Sinnott 1984), so
/// squares are compared, and a pair costs no sine. A sphere is up to 0.6 % off the ellipsoid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place([f64; 3]);

impl Place {
    /// What no place is near to.
    pub(crate) const NOWHERE: Self = Self([f64::NAN; 3]);

    /// Reads `LATITUDE,LONGITUDE` in degrees.
    pub(crate) fn of(text: &str) -> Self {
        let read = |text: &str| text.parse::<f64>().ok().map(f64::to_radians);
        let angles = text.split_once(',');
        let angles =
            angles.and_then(|(latitude, longitude)| Some((read(latitude)?, read(longitude)?)));
        let Some((latitude, longitude)) = angles else {
            return Self::NOWHERE;
        };
        let (sine, cosine) = latitude.sin_cos();
        Self([cosine * longitude.cos(), cosine * longitude.sin(), sine])
    }

    /// Returns the square of the straight line between two points, in radii; not a number if one is nowhere.
    #[inline]
    pub(crate) fn square_to(self, other: Self) -> f64 {
        let differences = self.0.iter().zip(&other.0).map(|(one, two)| one - two);
        differences.map(|difference| difference * difference).sum()
    }
}

/// Returns the square, in radii, of the straight line between points so many kilometres apart.
pub(crate) fn square_of_km(km: f64) -> f64 {
    let half = (km / EARTH_RADIUS_KM / 2.0).min(std::f64::consts::FRAC_PI_2);
    4.0 * half.sin() * half.sin()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The haversine formula as Sinnott (1984) wrote it.
    fn haversine_km(a: (f64, f64), b: (f64, f64)) -> f64 {
        let half_sine = |angle: f64| (angle.to_radians() / 2.0).sin().powi(2);
        let cosines = a.0.to_radians().cos() * b.0.to_radians().cos();
        let haversine = half_sine(b.0 - a.0) + cosines * half_sine(b.1 - a.1);
        2.0 * EARTH_RADIUS_KM * haversine.sqrt().min(1.0).asin()
    }

    fn place((latitude, longitude): (f64, f64)) -> Place {
        Place::of(&format!("{latitude:.7},{longitude:.7}"))
    }

    #[test]
    fn known_distances_are_met() {
        let munich = Place::of("48.137154,11.576124");
        let berlin = Place::of("52.520008,13.404954");
        assert!(munich.square_to(berlin) <= square_of_km(505.0));
        assert!(munich.square_to(berlin) > square_of_km(503.0));
        // The date line and the poles are places like others.
        let (west, east) = (Place::of("0.5,179.999"), Place::of("0.5,-179.999"));
        assert!(west.square_to(east) <= square_of_km(0.23));
        let (one, other) = (Place::of("89.9999,0"), Place::of("89.9999,180"));
        assert!(one.square_to(other) <= square_of_km(0.03));
        let everywhere = square_of_km(20_016.0);
        assert!(Place::of("90,0").square_to(Place::of("-90,0")) <= everywhere);
    }

    #[test]
    fn nowhere_is_near_to_nothing() {
        for text in ["", "48", "north,east"] {
            let nowhere = Place::of(text);
            let square = nowhere.square_to(Place::of("48,11"));
            assert!(
                square.is_nan() && !nowhere.square_to(nowhere).le(&4.0),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn nearness_is_that_of_the_haversine_formula(
            a in (-90.0..=90.0, -180.0..=180.0_f64),
            step in (-0.5..0.5, -0.5..0.5_f64),
            scale in 0..8_i32,
            km in 0.0..20_016.0_f64,
        ) {
            let scale = 10_f64.powi(-scale) * 100.0;
            let wrapped = |angle: f64, most: f64| angle.clamp(-most, most);
            let b = (wrapped(a.0 + step.0 * scale, 90.0), wrapped(a.1 + step.1 * scale, 180.0));
            let round = |degrees: f64| (degrees * 1e7).round() / 1e7;
            let apart = haversine_km((round(a.0), round(a.1)), (round(b.0), round(b.1)));
            for km in [km, apart * 0.999, apart * 1.001] {
                let square = place(a).square_to(place(b));
                prop_assert_eq!(square.to_bits(), place(b).square_to(place(a)).to_bits());
                let near = square <= square_of_km(km);
                // Both are exact to micrometres, and to metres at the far side of the Earth.
                let slack = if apart > 19_000.0 { 0.01 } else { 1e-6 };
                if (apart - km).abs() > slack {
                    prop_assert_eq!(near, apart <= km, "{} km of {} km", apart, km);
                }
            }
        }
    }
}
